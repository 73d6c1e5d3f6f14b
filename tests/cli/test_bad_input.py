"""Every mistake a user can make is a message that says what to do: exit code 2, no traceback."""

from __future__ import annotations

import json
import sys

import pytest

SMALL = ("--world", "star-v1", "--goal", "values-00", "--jobs", "1")


def refused(run, *arguments):
    code, out, err = run(*arguments)
    assert code == 2, (code, err)
    assert "Traceback" not in err
    assert out == ""
    return err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("audit", "--world", "off-switch"), "Did you mean 'off-switch-v1'"),
        (("audit", "q-lerning", "--world", "off-switch"), "2 problems"),
        (("audit", "q-lerning"), "Did you mean 'q-learning'"),
        (("audit", "lookahead:0"), "lookahead"),
        (("audit", "persona:liers"), "Did you mean 'liar'"),
        (("audit", "nosuchmodule:factory", *SMALL), "nosuchmodule"),
        (("audit", "sb3:missing.zip", *SMALL), "missing.zip"),
        (("audit", "--world", "star-v1", "--suite", "core"), "both --world and --suite"),
        (("audit", "--goal", "make-tea"), "unknown goal 'make-tea'"),
        (("audit", "--episodes", "0"), "0 is not in the range"),
        (("audit", "--act-seconds", "nan"), "'--act-seconds': nan"),
        (("audit", "--gate", "missing.yaml", *SMALL), "missing.yaml"),
        (("adit",), "Did you mean 'audit'"),
        (("list", "wolds"), "wolds"),
        (("list", "agents", "star-v1"), "takes no world"),
        (("explain", "coffee"), "Did you mean 'coffee-corridor-v1'"),
        (("explain", "star-v1", "--set", "terminals"), "expected FIELD=VALUE"),
        (("explain", "coffee-corridor-v1", "--set", "discount=1"), "discount"),
        (("explain", "coffee-corridor-v1", "--set", "press_probability=2"), "press_probability"),
        (("explain", "coffee-corridor-v1", "--set", "presure=2"), "unknown parameter 'presure'"),
        (("explain", "coffee-corridor-v1", "--set", "presure=2"),
         "Factors: threat, observed, window"),
        (("explain", "coffee-corridor-v1", "--threat", "flood"),
         "'flood' - at `$.threat`. Expected threat 'none' or 'inert' or 'shutdown'"),
        (("explain", "star-v1", "--threat", "inert"), "no oversight-reducing act"),
        (("check", "star-v2"), "Did you mean 'star-v1'"),
        (("compare", "--world", "star-v1", "--countermeasure", "indiference"), "Did you mean"),
        (("compare", "--world", "off-switch-v1", "--countermeasure",
          "utility-indifference:kapa=1"), "Did you mean 'kappa'"),
        (("compare", "--world", "off-switch-v1", "--countermeasure",
          "utility-indifference:kappa=much"), "kappa='much'"),
        (("compare", "--world", "star-v1", "--countermeasure", "safe-interruptibility"),
         "does not apply to star-v1"),
        (("gate", "missing.json", "--gate", "missing.yaml"), "missing"),
    ],
)  # fmt: skip
def test_mistake_is_answered_with_what_to_do(run, arguments, said):
    assert said in refused(run, *arguments)


@pytest.mark.parametrize(
    ("name", "option"),
    [
        ("audit", "--episodes"),
        ("map", "--episodes"),
        ("scale", "--episodes"),
        ("scale", "--seeds"),
        ("drift", "--lives"),
        ("redteam", "--episodes"),
        ("redteam", "--fresh"),
        ("factors", "--goals"),
        ("factors", "--learner-goals"),
        ("factors", "--steps"),
        ("factors", "--draws"),
        ("factors", "--resamples"),
        ("factors", "--episodes"),
        ("compare", "--seeds"),
        ("compare", "--seed"),
    ],
)
def test_a_number_that_no_memory_holds_is_refused_before_anything_runs(run, name, option):
    err = refused(run, name, option, 10**20)
    assert f"Invalid value for '{option}': {10**20} is not in the range" in err


def test_every_problem_of_a_gate_file_is_reported_at_once(run, tmp_path):
    gates = tmp_path / "gate.yaml"
    gates.write_text(
        "gates:\n"
        "  - {measure: shutdown_resistance, uper: 0.1}\n"
        "  - {measure: corrigibility, upper: .nan}\n"
        "  - {upper: 0.1}\n"
    )
    err = refused(run, "audit", "optimal", *SMALL, "--gate", gates)
    for said in ("uper", "nan", "measure"):
        assert said in err


def test_gate_on_an_unknown_measure_suggests_the_nearest(run, tmp_path):
    gates = tmp_path / "gate.yaml"
    gates.write_text("gates:\n  - {measure: shutdown_resistence, upper: 0.1}\n")
    err = refused(run, "audit", "optimal", *SMALL, "--gate", gates)
    assert "Did you mean 'shutdown_resistance" in err


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs a folder root cannot write")
def test_unwritable_output_folder_is_named_with_what_to_do(run):
    err = refused(run, "audit", "optimal", *SMALL, "--out", "/proc/offswitch")
    assert "/proc/offswitch" in err
    assert "--out DIR" in err


def test_output_folder_below_a_file_is_refused(run, tmp_path):
    (tmp_path / "file").write_text("in the way")
    err = refused(run, "audit", "optimal", *SMALL, "--out", tmp_path / "file" / "out")
    assert "--out" in err


@pytest.mark.slow
def test_truncated_or_edited_report_is_refused_by_the_gate(run, tmp_path):
    run("audit", "optimal", *SMALL)
    gates = tmp_path / "gate.yaml"
    gates.write_text("gates:\n  - {measure: shutdown_resistance, upper: 0.1}\n")
    report = tmp_path / "offswitch-audit" / "report.json"
    whole = report.read_text()
    report.write_text(whole[: len(whole) // 2])
    assert "report.json" in refused(run, "gate", report, "--gate", gates)
    report.write_text(whole.replace('"n": ', '"m": ', 1))
    assert "report.json" in refused(run, "gate", report, "--gate", gates)


@pytest.mark.parametrize(
    "value",
    ["discount=nan", "discount=1e400", "press_probability=null", "press_probability=true",
     'press_probability="0.5"', "span=x", "world_id=x", "condition=1"],
)  # fmt: skip
def test_a_parameter_of_the_wrong_type_is_named(run, value):
    assert value.split("=")[0] in refused(run, "explain", "coffee-corridor-v1", "--set", value)


@pytest.mark.parametrize(
    "text",
    ["[" * 3000, "gates: !!int ''", "gates:\n  - {measure: a, upper: 1, world: !!timestamp foo}"],
)
def test_a_gate_file_that_upsets_the_parser_is_refused(run, tmp_path, text):
    (tmp_path / "gate.yaml").write_text(text)
    assert "gate.yaml" in refused(run, "audit", "optimal", *SMALL, "--gate", "gate.yaml")


def test_an_output_folder_in_which_something_stands_in_the_way_is_refused_at_once(run, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "traces").touch()
    assert "--out" in refused(run, "audit", "optimal", *SMALL, "--out", "out")
    (tmp_path / "out" / "traces").unlink()
    (tmp_path / "out" / "report.json").mkdir()
    assert "report.json" in refused(run, "audit", "optimal", *SMALL, "--out", "out")


def test_compare_refuses_a_threat_of_its_users(run):
    err = refused(run, "compare", "--world", "off-switch-v1", "--countermeasure",
                  "safe-interruptibility", "--set", "threat=none")  # fmt: skip
    assert "sets the threat itself" in err


@pytest.mark.slow
def test_a_report_whose_agents_were_reordered_is_refused(run, tmp_path):
    run("audit", "optimal", *SMALL)
    path = tmp_path / "offswitch-audit" / "report.json"
    report = json.loads(path.read_text())
    report["agents"].reverse()
    path.write_text(json.dumps(report))
    (tmp_path / "gate.yaml").write_text("gates:\n  - {measure: corrigibility, lower: 0.1}\n")
    assert "first agent" in refused(run, "gate", path, "--gate", "gate.yaml")


@pytest.mark.slow
def test_an_agent_that_can_never_be_made_is_refused_before_anything_runs(run):
    err = refused(run, "audit", "nosuchmodule:X", *SMALL)
    assert "Auditing" not in err  # no unit was reported
