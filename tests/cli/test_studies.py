"""What every study of the command line has in common, asked of each of them."""

from __future__ import annotations

import contextlib
import html
import json
import re

import pytest
from studies import SMALL, arguments_of

import offswitch.cli.study_options
from offswitch.cli.program import COMMANDS

SEEDED = [name for name in SMALL if name != "scores"]
WITH_AGENT = {"drift": (), "factors": ("--agent",), "joint": (), "map": ("--agent",),
              "redteam": (), "scale": ("--agent",)}  # fmt: skip
"""What comes before the agent's name."""
OUTSIDE = r"<script|<img|<iframe|https?://(?!www\.w3\.org)|url\((?!#)|@import"

every_study = pytest.mark.parametrize("name", SMALL)


def refused(run, *arguments):
    code, out, err = run(*arguments)
    assert code == 2, (code, err)
    assert "Traceback" not in err
    assert out == ""
    return " ".join(err.split())


@pytest.mark.slow
@every_study
def test_json_is_the_file_that_was_written_and_nothing_is_left_behind(name, made):
    folder, printed, _ = made(name)
    assert printed == (folder / f"{name}.json").read_text(encoding="utf-8")
    assert json.loads(printed)["format"] == f"offswitch-{name}-1"
    assert {path.name for path in folder.iterdir()} == {f"{name}.json", f"{name}.html"}


@pytest.mark.slow
@every_study
def test_the_page_asks_nothing_of_any_network_and_says_how_to_make_it_again(name, made):
    text = made(name).page
    assert "default-src 'none'" in text
    assert not re.search(OUTSIDE, text)
    assert "<svg" in text
    for limit in made(name).report.limits:
        assert limit in html.unescape(text)
    (again,) = re.findall(r"<pre><code>(offswitch [^<]*)</code>", text)
    words = html.unescape(again).split()
    assert words[1] == name
    for option in (word for word in SMALL[name] if word.startswith("--")):
        assert option in words


@pytest.mark.slow
@every_study
def test_an_interrupt_keeps_what_is_finished_and_resume_gives_the_same_bytes(
    name, made, run, tmp_path, monkeypatch
):
    told = []

    @contextlib.contextmanager
    def pressing_ctrl_c(_title):
        def told_of(unit, _done, _total):
            told.append(unit)
            if len(told) == 2 or name == "scores":  # which has but one task
                raise KeyboardInterrupt

        yield told_of

    monkeypatch.setattr(offswitch.cli.study_options, "progress_bar", pressing_ctrl_c)
    code, out, err = run(*arguments_of(name, "--out", tmp_path / "out"))
    assert code == 130
    assert "add --resume to go on" in err
    assert out == ""
    monkeypatch.undo()
    code, out, err = run(*arguments_of(name, "--out", tmp_path / "out", "--resume"))
    assert code == 0, err
    assert not any(f": {done}/" in err for done in range(1, len(told) + 1))  # not run again
    lines = [line for line in out.splitlines() if not line.startswith("Wrote")]
    assert max(map(len, lines)) <= 80
    assert "\x1b" not in out
    for file in (f"{name}.json", f"{name}.html"):
        assert file in out
        assert (tmp_path / "out" / file).read_bytes() == (made(name).folder / file).read_bytes()


@pytest.mark.slow
@every_study
def test_a_cluster_gives_the_bytes_of_one_process(name, made, run, cluster, tmp_path):
    alone = made(name).folder  # first, so that the cluster finds on disk what it has compiled
    arguments = [name, *SMALL[name], "--jobs", "2", "--executor", "ray", "--out", tmp_path / "ray"]
    code, _, err = run(*arguments)
    assert code == 0, err
    file = f"{name}.json"
    assert (tmp_path / "ray" / file).read_bytes() == (alone / file).read_bytes()


@every_study
@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--world", "star"), "Did you mean 'star-v1'"),
        (("--world", "star-v1", "--suite", "core"), "both --world and --suite; give one of them"),
        (("--suite", "everything"), "'core'"),
        (("--world", "star-v1", "--jobs", "0"), "0 is not in the range"),
        (("--world", "star-v1", "--executor", "threads"), "'processes'"),
        (("--world", "star-v1", "one", "two"), "unexpected extra argument"),
    ],
)
def test_a_mistake_in_a_shared_option_is_answered_with_what_to_do(name, run, arguments, said):
    assert said in refused(run, name, *arguments)


@every_study
def test_a_folder_that_cannot_be_written_is_named_with_what_to_do(name, run):
    err = refused(run, *arguments_of(name, "--out", "/proc/offswitch"))
    assert "--out DIR" in err


@every_study
def test_a_file_in_the_place_of_the_folder_is_refused(name, run, tmp_path):
    (tmp_path / "taken").write_text("")
    assert "taken" in refused(run, *arguments_of(name, "--out", "taken"))


@pytest.mark.parametrize("name", SEEDED)
def test_a_seed_below_0_is_refused(name, run):
    assert "-1 is not in the range" in refused(run, name, "--seed", "-1")


@pytest.mark.parametrize("name", WITH_AGENT)
@pytest.mark.parametrize(
    ("agent", "said"), [("q-lerning", "Did you mean 'q-learning'"), ("lookahead:0", "lookahead")]
)
def test_an_unknown_agent_suggests_the_nearest(name, agent, said, run):
    world = {"joint": "two-keys-v1"}.get(name, "star-v1")
    assert said in refused(run, name, *WITH_AGENT[name], agent, "--world", world)


@pytest.mark.parametrize("name", ["drift", "joint", "map", "redteam", "scale"])
def test_an_unknown_goal_suggests_the_nearest(name, run):
    world, goal = {"joint": ("two-keys-v1", "pears")}.get(name, ("star-v1", "values-0"))
    assert "Did you mean" in refused(run, name, "--world", world, "--goal", goal)


@pytest.mark.parametrize("name", ["drift", "map", "redteam", "scale"])
def test_an_unknown_threat_suggests_the_nearest(name, run):
    err = refused(run, name, "--world", "star-v1", "--threat", "shutdwn")
    assert "Did you mean 'shutdown'" in err


@pytest.mark.parametrize("name", ["joint", "map", "redteam", "scale"])
@pytest.mark.parametrize(
    ("assignment", "said"),
    [("discount", "expected FIELD=VALUE"), ("discount=7", "discount"),
     ("discont=0.5", "unknown parameter 'discont'")],
)  # fmt: skip
def test_a_parameter_that_is_none_is_refused(name, assignment, said, run):
    world = {"joint": "two-keys-v1"}.get(name, "star-v1")
    assert said in refused(run, name, "--world", world, "--set", assignment)


def test_every_study_is_asked():
    shared = {"drift", "factors", "joint", "map", "redteam", "scale", "scores"}
    assert set(SMALL) == shared <= set(COMMANDS)


@every_study
def test_every_unknown_name_is_told_at_once(run, name):
    given = ["--world", "star-v2", "--world", "boat"]
    known = ["Did you mean 'star-v1'", "Did you mean 'boat-race-v1'"]
    if name in WITH_AGENT and name != "scale":  # a learner only, refused with its own words
        given = [*WITH_AGENT[name], "optimla", *given]
        known.append("Did you mean 'optimal'")
    if name in ("factors", "scale"):
        given += ["--drive", "self-preservatin"]
        known.append("Did you mean 'self-preservation'")
    told = refused(run, name, *given)
    assert f"{len(known)} problems" in told
    for hint in known:
        assert hint in told
