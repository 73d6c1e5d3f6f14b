"""offswitch map: what it writes and prints, and what it refuses."""

from __future__ import annotations

import html
import xml.etree.ElementTree as ET

import pytest

from offswitch.cli.output import show
from offswitch.report.map_page import map_command, map_figures, map_html
from offswitch.report.map_text import map_renderables


@pytest.fixture(scope="module")
def report(made):
    return made("map").report


def texts(svg):
    return " ".join(" ".join(part.split()) for part in ET.fromstring(svg).itertext())


@pytest.mark.slow
def test_the_page_is_the_report_and_says_what_matters(made, report):
    text = made("map").page
    assert text == map_html(report)
    for said in (*(check.name for check in report.checks), "star-v1"):
        assert said in html.unescape(text)
    assert map_command(report.settings) in html.unescape(text)


@pytest.mark.slow
def test_the_figures_show_every_goal_drive_and_agent_with_its_strength(report):
    shares, *maps = map_figures(report)
    assert [view.name for view in maps] == ["map-0", "map-1", "map-2"]
    for view, agent in zip(maps, report.agents, strict=True):
        words = texts(view.svg)
        for said in ("star-v1", "values-00", "values-02", "self-preservation"):
            assert said in words
        assert agent in view.title
    # values-00 avoids the shutdown, values-02 values it most; the random agent avoids it in 3 of 4
    assert {"0", "1"} <= set(texts(maps[0].svg).split())
    assert ".75" in texts(maps[2].svg)
    words = texts(shares.svg)
    for agent in report.agents:
        assert f"{agent} shows it" in words
    assert "in inert worlds" in words
    drawn = shares.panel.groups[0].marks
    assert drawn[0].point == pytest.approx(0.5)
    assert drawn[-1].point == 0.0


@pytest.mark.slow
def test_the_terminal_shows_shares_checks_and_limits(capsys, report):
    show(*map_renderables(report))
    out = capsys.readouterr().out
    for said in ("self-", "preservation", "0.500", "negative control", "Limits:"):
        assert said in out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--world", "star-v1", "--set", "terminals=0"), "terminals"),
        (("--world", "star-v1", "--set", "terminals=[1]"), "terminals"),
        (("--episodes", "0"), "0 is not in the range"),
    ],
)
def test_mistake_is_answered_with_what_to_do(run, arguments, said):
    code, out, err = run("map", *arguments)
    assert code == 2, err
    assert said in err
    assert "Traceback" not in err
    assert out == ""
