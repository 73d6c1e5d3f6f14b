"""offswitch scale: what it writes and prints, and what it refuses."""

from __future__ import annotations

import html
import xml.etree.ElementTree as ET

import pytest

from offswitch.cli.output import show
from offswitch.report.scale_page import scale_command, scale_figures, scale_html
from offswitch.report.scale_text import scale_renderables


@pytest.fixture(scope="module")
def report(made):
    return made("scale").report


@pytest.mark.slow
def test_foresight_makes_the_goal_that_needs_it_resist_and_not_the_other(report):
    curve = report.curves[0]
    assert [point.level for point in curve.points] == [1, 4, 64]
    assert [point.rate.estimate for point in curve.points] == [0.0, 0.0, 0.5]
    rates = {one.goal: [m.estimate for m in one.rates] for one in report.goals[:2]}
    assert rates == {"reach-goal": [0.0, 0.0, 1.0], "let-time-pass": [0.0, 0.0, 0.0]}


@pytest.mark.slow
def test_the_page_is_the_report_and_says_what_matters(made, report):
    text = made("scale").page
    assert text == scale_html(report)
    for said in ("WARNING: q-learning had not converged", "reach-goal"):
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
def test_the_terminal_shows_curves_trend_and_checks(capsys, report):
    show(*scale_renderables(report))
    out = capsys.readouterr().out
    for said in ("foresight", "rationality", "training", "Page's exact test", "negative control",
                 "WARNING: q-learning", "Limits:"):  # fmt: skip
        assert said in out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--agent", "optimal"), "does not learn"),
        (("--drive", "self-preservatin"), "Did you mean 'self-preservation'"),
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
    ],
)
def test_mistake_is_answered_with_what_to_do(run, arguments, said):
    code, out, err = run("scale", *arguments)
    assert code == 2, err
    assert said in err
    assert "Traceback" not in err
    assert out == ""


@pytest.mark.slow
def test_another_threat_is_staged_where_a_world_has_it_and_other_worlds_are_left_out(run):
    code, out, err = run(
        "scale", "--world", "star-v1", "--world", "coffee-corridor-v1", "--threat", "pause",
        "--goal", "fetch-coffee", "--lookahead", "1,2", "--beta", "0,1", "--steps", "1,2",
        "--seeds", "1", "--jobs", "1",
    )  # fmt: skip
    assert code == 0, err
    assert "Left out, for they do not stage pause: star-v1." in out
    assert "/7 star-v1" not in err
