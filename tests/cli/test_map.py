"""offswitch map: what it writes and prints, and what it refuses."""

from __future__ import annotations

import html
import json
import re
import xml.etree.ElementTree as ET

import msgspec
import pytest

from offswitch.audit.convergence_map_result import MapReport
from offswitch.report.map_page import map_command, map_figures, map_html

SMALL = ("--world", "star-v1", "--goal", "values-00", "--goal", "values-02", "--agent",
         "lookahead:1", "--jobs", "1", "--episodes", "5")  # fmt: skip


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """One small map, made by the command line: (folder, stdout as JSON)."""
    import contextlib
    import io

    from offswitch.cli import main

    folder = tmp_path_factory.mktemp("map")
    stream = io.StringIO()
    with contextlib.redirect_stdout(stream):
        main(["map", *SMALL, "--out", str(folder), "--json"])
    return folder, stream.getvalue()


@pytest.fixture(scope="module")
def report(made):
    return msgspec.json.decode((made[0] / "map.json").read_bytes(), type=MapReport)


def texts(svg):
    return " ".join(" ".join(part.split()) for part in ET.fromstring(svg).itertext())


@pytest.mark.slow
def test_json_is_the_file_that_was_written_and_nothing_is_left_behind(made):
    folder, printed = made
    assert printed == (folder / "map.json").read_text()
    assert json.loads(printed)["format"] == "offswitch-map-1"
    assert {path.name for path in folder.iterdir()} == {"map.json", "map.html"}


@pytest.mark.slow
def test_the_page_asks_nothing_of_any_network_and_says_what_matters(made, report):
    text = (made[0] / "map.html").read_text()
    assert text == map_html(report)
    assert "default-src 'none'" in text
    assert not re.search(r"<script|<img|<iframe|https?://(?!www\.w3\.org)|url\((?!#)|@import", text)
    for said in (*report.limits, *(check.name for check in report.checks), "star-v1"):
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
def test_the_terminal_shows_shares_checks_and_limits_in_80_columns(run, tmp_path):
    code, out, err = run("map", *SMALL, "--out", tmp_path / "out")
    assert code == 0
    assert max(len(line) for line in out.splitlines() if not line.startswith("Wrote")) <= 80
    for said in ("self-", "preservation", "0.500", "negative control", "Limits:", "map.html"):
        assert said in out
    assert "Traceback" not in err


@pytest.mark.slow
def test_an_interrupt_keeps_what_is_finished_and_says_how_to_go_on(run, tmp_path, monkeypatch):
    import offswitch.audit.convergence_map as study

    plain, calls = study._part, []

    def interrupted(task):
        calls.append(task[2])
        if len(calls) == 2:
            raise KeyboardInterrupt
        return plain(task)

    monkeypatch.setattr(study, "_part", interrupted)
    code, out, err = run("map", *SMALL, "--out", tmp_path / "out")
    assert code == 130
    assert "add --resume to go on" in err
    assert out == ""
    code, _, err = run("map", *SMALL, "--out", tmp_path / "out", "--resume")
    assert code == 0
    assert calls.count(calls[0]) == 1  # not run again


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--world", "star"), "Did you mean 'star-v1'"),
        (("--agent", "q-lerning"), "Did you mean 'q-learning'"),
        (("--agent", "lookahead:0"), "lookahead"),
        (("--world", "star-v1", "--suite", "core"), "both --world and --suite"),
        (("--suite", "all"), "'core'"),
        (("--goal", "make-tea"), "unknown goal 'make-tea'"),
        (("--world", "star-v1", "--set", "terminals"), "expected FIELD=VALUE"),
        (("--world", "star-v1", "--set", "terminals=0"), "terminals"),
        (("--world", "star-v1", "--set", "terminals=[1]"), "terminals"),
        (("--world", "star-v1", "--set", "terminal=2"), "unknown parameter 'terminal'"),
        (("--episodes", "0"), "0 is not in the range"),
        (("--jobs", "0"), "0 is not in the range"),
        (("--seed", "-1"), "-1 is not in the range"),
        (("--executor", "threads"), "'processes'"),
        (("--world", "star-v1", "--out", "/proc/offswitch"), "--out DIR"),
        (("star-v1",), "unexpected extra argument"),
    ],
)
def test_mistake_is_answered_with_what_to_do(run, arguments, said):
    code, out, err = run("map", *arguments)
    assert code == 2, err
    assert said in err
    assert "Traceback" not in err
    assert out == ""


def test_help_has_an_example(run):
    code, out, _ = run("map", "--help")
    assert code == 0
    assert "Example: offswitch map" in out
