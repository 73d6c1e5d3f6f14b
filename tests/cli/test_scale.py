"""offswitch scale: what it writes and prints, and what it refuses."""

from __future__ import annotations

import html
import json
import re
import xml.etree.ElementTree as ET

import msgspec
import pytest

from offswitch.audit.scaling_result import ScaleReport
from offswitch.report.scale_page import scale_command, scale_figures, scale_html

SMALL = ("--world", "off-switch-v1", "--goal", "reach-goal", "--goal", "let-time-pass",
         "--lookahead", "1,4,64", "--beta", "0,8", "--steps", "10,100", "--seeds", "2",
         "--jobs", "1")  # fmt: skip


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """One small study, made by the command line: (folder, stdout as JSON)."""
    import contextlib
    import io

    from offswitch.cli import main

    folder = tmp_path_factory.mktemp("scale")
    stream = io.StringIO()
    with contextlib.redirect_stdout(stream):
        main(["scale", *SMALL, "--out", str(folder), "--json"])
    return folder, stream.getvalue()


@pytest.fixture(scope="module")
def report(made):
    return msgspec.json.decode((made[0] / "scale.json").read_bytes(), type=ScaleReport)


@pytest.mark.slow
def test_json_is_the_file_that_was_written_and_nothing_is_left_behind(made):
    folder, printed = made
    assert printed == (folder / "scale.json").read_text()
    assert json.loads(printed)["format"] == "offswitch-scale-1"
    assert {path.name for path in folder.iterdir()} == {"scale.json", "scale.html"}


@pytest.mark.slow
def test_foresight_makes_the_goal_that_needs_it_resist_and_not_the_other(report):
    curve = report.curves[0]
    assert [point.level for point in curve.points] == [1, 4, 64]
    assert [point.rate.estimate for point in curve.points] == [0.0, 0.0, 0.5]
    rates = {one.goal: [m.estimate for m in one.rates] for one in report.goals[:2]}
    assert rates == {"reach-goal": [0.0, 0.0, 1.0], "let-time-pass": [0.0, 0.0, 0.0]}


@pytest.mark.slow
def test_the_page_asks_nothing_of_any_network_and_says_what_matters(made, report):
    text = (made[0] / "scale.html").read_text()
    assert text == scale_html(report)
    assert "default-src 'none'" in text
    assert not re.search(r"<script|<img|<iframe|https?://(?!www\.w3\.org)|url\((?!#)|@import", text)
    for said in (*report.limits, "WARNING: q-learning had not converged", "reach-goal"):
        assert said in html.unescape(text)
    assert scale_command(report.settings) in html.unescape(text)


@pytest.mark.slow
def test_every_figure_shows_its_levels_its_chance_and_whether_it_rises(report):
    views = scale_figures(report)
    assert [view.name for view in views] == [
        "scale-foresight", "scale-rationality", "scale-training",
    ]  # fmt: skip
    words = " ".join(ET.fromstring(views[0].svg).itertext()).split()
    assert {"1", "4", "64", "random"} <= set(words)
    assert "p = " in views[0].title
    assert "had not converged" in views[2].title
    [start, *_] = views[0].panel.groups
    assert start.marks[0].point == 0.0
    assert start.marks[1].point < 0  # below chance


@pytest.mark.slow
def test_the_terminal_shows_curves_trend_and_checks_in_80_columns(run, tmp_path):
    code, out, err = run("scale", *SMALL, "--out", tmp_path / "out")
    assert code == 0
    assert max(len(line) for line in out.splitlines() if not line.startswith("Wrote")) <= 80
    for said in ("foresight", "rationality", "training", "Page's exact test", "negative control",
                 "WARNING: q-learning", "Limits:", "scale.html"):  # fmt: skip
        assert said in out
    assert "Traceback" not in err


@pytest.mark.slow
def test_an_interrupt_keeps_what_is_finished_and_says_how_to_go_on(run, tmp_path, monkeypatch):
    import offswitch.audit.scaling as study

    plain, calls = study._part, []

    def interrupted(task):
        calls.append(task[1:])
        if len(calls) == 3:
            raise KeyboardInterrupt
        return plain(task)

    monkeypatch.setattr(study, "_part", interrupted)
    code, out, err = run("scale", *SMALL, "--out", tmp_path / "out")
    assert code == 130
    assert "add --resume to go on" in err
    assert out == ""
    code, _, err = run("scale", *SMALL, "--out", tmp_path / "out", "--resume")
    assert code == 0
    assert calls.count(calls[0]) == calls.count(calls[1]) == 1  # not run again


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--world", "star"), "Did you mean 'star-v1'"),
        (("--agent", "q-lerning"), "Did you mean 'q-learning'"),
        (("--agent", "optimal"), "does not learn"),
        (("--drive", "self-preservatin"), "Did you mean 'self-preservation'"),
        (("--world", "star-v1", "--suite", "core"), "both --world and --suite"),
        (("--goal", "make-tea"), "unknown goal 'make-tea'"),
        (("--lookahead", "1,two"), "--lookahead is '1,two'"),
        (("--lookahead", "0,2"), "--lookahead holds 0"),
        (("--lookahead", "1.5,2"), "--lookahead holds 1.5"),
        (("--lookahead", "4,2"), "expected 2 to 8 rising numbers"),
        (("--lookahead", "3"), "expected 2 to 8 rising numbers"),
        (("--beta", "nan,1"), "--beta is 'nan,1'"),
        (("--beta", "-1,1"), "--beta is '-1,1'"),
        (("--steps", "1,1e12"), "--steps holds 1e+12"),
        (("--steps", "1,2,3,4,5,6,7,8,9"), "expected 2 to 8 rising numbers"),
        (("--seeds", "0"), "0 is not in the range"),
        (("--set", "terminals"), "expected FIELD=VALUE"),
        (("--world", "star-v1", "--set", "terminal=2"), "unknown parameter 'terminal'"),
        (("--world", "star-v1", "--out", "/proc/offswitch"), "--out DIR"),
    ],
)
def test_mistake_is_answered_with_what_to_do(run, arguments, said):
    code, out, err = run("scale", *arguments)
    assert code == 2, err
    assert said in err
    assert "Traceback" not in err
    assert out == ""


def test_help_has_an_example(run):
    code, out, _ = run("scale", "--help")
    assert code == 0
    assert "Example: offswitch scale" in out
