"""Processes on disk."""

from __future__ import annotations

import json

import numpy as np
import pytest
from random_processes import KINDS, random_process

from offswitch.errors import ModelError
from offswitch.mdp.files import read_mdp, write_mdp
from offswitch.mdp.model import FiniteMDP

FIELDS = ("row_start", "next_state", "probability", "start")


@pytest.mark.parametrize("suffix", [".json", ".npz"])
@pytest.mark.parametrize("kind", KINDS)
def test_what_is_read_is_what_was_written_to_the_bit(tmp_path, kind, suffix):
    mdp = random_process(kind, 8)
    path = tmp_path / f"process{suffix}"
    write_mdp(mdp, path)
    again = read_mdp(path)
    for field in FIELDS:
        assert getattr(again, field).tobytes() == getattr(mdp, field).tobytes()
        assert getattr(again, field).dtype == getattr(mdp, field).dtype
    assert (again.state_names, again.action_names) == (mdp.state_names, mdp.action_names)


@pytest.mark.parametrize("suffix", [".json", ".npz"])
def test_odd_names_survive(tmp_path, suffix):
    names = ("", 'quote " \\', "zero\0", "ünï\n")
    mdp = FiniteMDP.from_coo(4, 1, [(s, 0, s, 1.0) for s in range(4)], state_names=names)
    write_mdp(mdp, tmp_path / f"odd{suffix}")
    assert read_mdp(tmp_path / f"odd{suffix}").state_names == names


def test_the_json_shows_one_transition_a_line(tmp_path):
    mdp = FiniteMDP.from_coo(2, 1, [(0, 0, 1, 0.75), (0, 0, 0, 0.25), (1, 0, 1, 1.0)])
    write_mdp(mdp, tmp_path / "two.json")
    lines = (tmp_path / "two.json").read_text().splitlines()
    assert "  [0, 0, 1, 0.75]," in lines
    assert json.loads("\n".join(lines))["version"] == 1


@pytest.mark.parametrize("name", ["process.csv", "process"])
def test_an_unknown_suffix_names_the_known_ones(tmp_path, name):
    mdp = random_process("dag", 0)
    for attempt in (lambda path: write_mdp(mdp, path), read_mdp):
        with pytest.raises(ModelError, match=r"expected \.json or \.npz"):
            attempt(tmp_path / name)


def test_a_malformed_file_lists_every_problem_at_once(tmp_path):
    path = tmp_path / "bad.json"
    path.write_text(
        json.dumps({"format": "other", "version": 7, "state_names": [1], "rows": "x", "strat": []})
    )
    with pytest.raises(ModelError) as caught:
        read_mdp(path)
    text = str(caught.value)
    for part in (
        "key 'action_names' is missing",
        "key 'start' is missing",
        "unknown key 'strat'. Did you mean 'start'?",
        "format is 'other', expected 'offswitch-mdp'",
        "version is 7, expected 1",
        "state_names is no list of strings",
        "rows is no array of numbers",
        "7 problems",
    ):
        assert part in text


def test_a_malformed_process_names_the_file_and_the_row(tmp_path):
    path = tmp_path / "process.json"
    write_mdp(FiniteMDP.from_coo(1, 1, [(0, 0, 0, 1.0)]), path)
    path.write_text(path.read_text().replace("[0, 0, 0, 1.0]", "[0, 0, 0, 0.97]"))
    with pytest.raises(ModelError, match=r"process\.json: .*\n.*sums to 0\.97, expected 1"):
        read_mdp(path)
    path.write_text(path.read_text().replace("0.97", "NaN"))
    with pytest.raises(ModelError, match="probability nan"):
        read_mdp(path)


@pytest.mark.parametrize("content", [b"", b"not a file of ours", b"PK\x03\x04 cut"])
@pytest.mark.parametrize("suffix", [".json", ".npz"])
def test_bytes_that_are_no_process_are_refused(tmp_path, content, suffix):
    path = tmp_path / f"junk{suffix}"
    path.write_bytes(content)
    with pytest.raises(ModelError, match="cannot be read as"):
        read_mdp(path)


def test_a_file_that_is_not_there_is_refused(tmp_path):
    for suffix in (".json", ".npz"):
        with pytest.raises(ModelError, match="cannot be read"):
            read_mdp(tmp_path / f"none{suffix}")


def test_an_npz_of_someone_else_is_refused(tmp_path):
    np.savez(tmp_path / "other.npz", rows=np.zeros((1, 4)))
    with pytest.raises(ModelError, match="cannot be read as an npz file of ours"):
        read_mdp(tmp_path / "other.npz")


def test_names_that_tell_nothing_apart_are_refused_on_writing_and_on_reading(tmp_path):
    rows = [(0, 0, 0, 1.0), (1, 0, 1, 1.0)]
    twins = FiniteMDP.from_coo(2, 1, rows, state_names=("a", "a"))
    half = FiniteMDP.from_coo(2, 1, rows, state_names=("a", "\ud800"))
    for suffix in (".json", ".npz"):
        for mdp, said in ((twins, "has 'a' 2 times"), (half, "half of a surrogate pair")):
            with pytest.raises(ModelError, match=said):
                write_mdp(mdp, tmp_path / f"x{suffix}")
    write_mdp(FiniteMDP.from_coo(2, 1, rows, state_names=("a", "b")), tmp_path / "x.json")
    text = (tmp_path / "x.json").read_text()
    (tmp_path / "x.json").write_text(text.replace('"b"', '"a"').replace('"a0"', '"\\ud800"'))
    with pytest.raises(ModelError) as caught:
        read_mdp(tmp_path / "x.json")
    assert "state_names has 'a' 2 times" in str(caught.value)
    assert "action_names has '\\ud800', which is no Unicode text" in str(caught.value)


def test_json_that_is_nested_too_deeply_is_refused(tmp_path):
    (tmp_path / "deep.json").write_text("[" * 100_000)
    with pytest.raises(ModelError, match="nested too deeply"):
        read_mdp(tmp_path / "deep.json")
