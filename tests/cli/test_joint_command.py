"""offswitch joint: what it says of two agents, and what it refuses."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET

import pytest

from offswitch.cli.output import show
from offswitch.report.joint_page import joint_figures, joint_html
from offswitch.report.joint_text import joint_renderables


@pytest.fixture(scope="module")
def report(made):
    return made("joint").report


@pytest.mark.slow
def test_one_goal_is_obstructed_by_both_together_and_the_other_by_one_alone(report):
    rows = {row.goal: row.obstruction for row in report.rows}
    keys, first_side = rows["keys"], rows["first-side"]
    assert (keys.joint.estimate, keys.first_alone.estimate) == (0.5, 0.0)
    assert first_side.joint.estimate == 0.0
    assert first_side.together.estimate == 0.5
    (summary,) = report.summaries
    assert summary.numbers["joint"].estimate == 0.25
    assert summary.numbers["joint"].n == 2


@pytest.mark.slow
def test_the_page_and_the_figure_say_what_neither_agent_obstructs_alone(made, report):
    assert made("joint").page == joint_html(report)
    (view,) = joint_figures(report)
    assert view.title.startswith(
        "Of 0.500 of the episodes that two agents obstruct in two-keys-v1, 0.250"
    )
    words = " ".join(ET.fromstring(view.svg).itertext())
    for said in ("keys", "first-side", "only by both together", "probability per episode"):
        assert said in words
    mean, *goals = view.panel.groups
    assert [mark.point for mark in mean.marks] == [
        report.summaries[0].numbers[name].estimate
        for name in ("together", "first_alone", "second_alone", "joint")
    ]
    assert [group.label for group in goals] == ["first-side", "keys"]


@pytest.mark.slow
def test_the_terminal_shows_every_goal_and_what_the_columns_mean(capsys, report):
    show(*joint_renderables(report))
    out = capsys.readouterr().out
    for said in ("keys", "mean over", "0.500", "only together: only by both", "Limits:"):
        assert said in " ".join(out.split())


@pytest.mark.slow
def test_a_partner_that_obeys_leaves_nothing_to_obstruct_together(run):
    code, out, err = run(
        "joint", "optimal", "--partner", "corrigible-reference", "--world", "two-keys-v1",
        "--goal", "keys", "--jobs", "1", "--json",
    )  # fmt: skip
    assert code == 0, err
    (row,) = json.loads(out)["rows"]
    assert row["obstruction"]["together"]["estimate"] == 0.0


@pytest.mark.slow
def test_a_rival_is_struck_where_it_is_dangerous_and_other_worlds_are_left_out(run):
    code, out, err = run(
        "joint", "--world", "strategy-game-v1", "--world", "star-v1", "--goal", "expand",
        "--jobs", "1",
    )  # fmt: skip
    assert code == 0, err
    assert "strikes at a dangerous rival in strategy-game-v1" in " ".join(out.split())
    assert "no rival can be struck: star-v1" in " ".join(out.split())


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--world", "star-v1"), "--suite joint"),
        (("--world", "two-keys-v1", "--partner", "optmal"), "Did you mean 'optimal'"),
        (("--world", "two-keys-v1", "--set", "threat=none"), "sets the threat itself"),
        (("drifting:0.5", "--world", "two-keys-v1", "--jobs", "1"), "policy is a table"),
    ],
)
def test_mistake_is_answered_with_what_to_do(run, arguments, said):
    code, out, err = run("joint", *arguments)
    assert code == 2, err
    assert said in " ".join(err.split())
    assert "Traceback" not in err
    assert out == ""
