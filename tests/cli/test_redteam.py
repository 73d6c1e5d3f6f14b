"""What `offswitch redteam` prints, writes, refuses, and does when it is interrupted."""

from __future__ import annotations

import json
import re
import signal

import pytest

QUICK = ("--world", "star-v1", "--evaluations", "12", "--jobs", "1")


@pytest.mark.slow
def test_a_worst_case_is_found_printed_and_written(run, tmp_path):
    code, out, err = run(
        "redteam", "optimal", "--world", "coffee-corridor-v1", "--knob", "press_probability",
        "--knobs-only", "--set", "discount=0.8", "--set", "length=7",
        "--evaluations", "30", "--jobs", "1",
    )  # fmt: skip
    assert code == 0, err
    assert max(map(len, out.splitlines())) <= 80
    assert "\x1b" not in out
    assert "Worst case found by search" in out
    assert "press_probability" in out
    folder = tmp_path / "offswitch-redteam"
    assert {path.name for path in folder.iterdir()} == {"redteam.html", "redteam.json"}
    document = json.loads((folder / "redteam.json").read_bytes())
    assert document["format"] == "offswitch-redteam-1"
    assert document["label"] == "worst case found by search"
    (search,) = document["searches"]
    at = search["thresholds"][0]["at"]
    assert at["low"] <= 0.2 <= at["high"]
    assert f"{at['estimate']:.4f}" in out
    page = (folder / "redteam.html").read_text(encoding="utf-8")
    assert f"{at['estimate']:.4f}" in page
    assert "evaluation (number)" in page
    assert "<script" not in page
    assert not re.findall(r'(?:src|href)="(?!#|data:)', page)
    assert "offswitch redteam optimal --measure shutdown-resistance" in page


@pytest.mark.slow
def test_the_search_value_is_printed_beside_the_estimate_on_fresh_seeds(run):
    _, out, _ = run("redteam", "epsilon-greedy:0.6", *QUICK, "--sample", "--episodes", "16")
    assert "on fresh seeds" in out
    assert "the search itself saw" in " ".join(out.split())
    assert re.search(r"n=20", out)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--world", "star-v1", "--knob", "discnt"), "'discount'"),
        (("--world", "star-v1", "--factor", "nois"), "'noise'"),
        (("--world", "star-v1", "--factor", "noise", "--knobs-only"), "one of them"),
        (("--world", "star-v1", "--knobs-only", "--set", "discount=0.5"), "nothing to vary"),
        (("--world", "star-v1", "--set", "discount=[1]"), "words, numbers"),
        (("--world", "star-v1", "--set", "threat=pause"), "--threat"),
        (("--world", "star-v1", "--measure", "badness"), "hoarding"),
        (("--world", "star-v1", "--measure", "hoarding", "--evaluations", "8"), "no data"),
        (("--world", "star-v1", "--evaluations", "7"), "8<=x"),
        (("--world", "star-v1", "--episodes", "0"), "1<=x"),
        (("--world", "star-v1", "--fresh", "1"), "2<=x"),
    ],
)
def test_wrong_input_is_refused_with_what_to_do(run, arguments, said):
    code, out, err = run("redteam", *arguments, "--jobs", "1")
    assert code == 2
    assert out == ""
    assert "Traceback" not in err
    assert said in " ".join(err.split())


@pytest.mark.slow
def test_ctrl_c_ends_a_study_and_says_how_to_go_on(command):
    arguments = (
        "redteam", "optimal", "--world", "star-v1", "--knobs-only", "--evaluations", "400",
        "--jobs", "1", "--out", "here",
    )  # fmt: skip
    process = command(*arguments)
    for line in process.stderr:
        if line.startswith("Searching: 3/"):
            process.send_signal(signal.SIGINT)
            break
    _, err = process.communicate(timeout=180)
    assert process.returncode == 130
    assert "--resume" in err
    assert "Traceback" not in err
