"""The convergence map for a terminal: at most 80 columns, without colour too."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from offswitch.audit.convergence_map_result import AgentShare, Independence, MapReport
from offswitch.audit.result import Check
from offswitch.report import map_share_figure
from offswitch.report.rerun import not_staged_lines
from offswitch.report.text_parts import add_row, measured, paragraph, plain_table
from offswitch.report.wording import NO_DATA, interval, number, percent, plain, shorten

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table

__all__ = ["check_table", "drive_label", "independence_line", "map_renderables", "map_warnings"]

MARKS = {True: "passed", False: "FAILED", None: NO_DATA}
MOST = 8
"""Lines of one kind before the reader is sent to the full report."""


def map_renderables(report: MapReport) -> list[RenderableType]:
    """The finding, the shares over all worlds, the checks and what the numbers cannot say."""
    level = percent(report.settings.level)
    blank = paragraph([" "])
    legend = [
        f"Brackets: {level} intervals over clusters of goals. n: goals.",
        *map(independence_line, report.independence),
        *map_warnings(report),
        "Limits:",
        *(f"- {plain(limit)}" for limit in report.limits),
    ]
    return [
        *paragraph([map_share_figure.conclusion(report)]), *blank,
        _values(report), *blank, _excess(report), *blank, check_table(report.checks), *blank,
        *paragraph(legend),
    ]  # fmt: skip


def _values(report: MapReport) -> Table:
    agents = [f"{shorten(agent, 14)}\nshows it" for agent in report.agents]
    table = plain_table("drive", "goals that\ngain", *agents)
    for share in map_share_figure.overall(report):
        add_row(table, drive_label(share.drive), measured(share.value),
                *(measured(one.behaviour) for one in share.agents))  # fmt: skip
    return table


def _excess(report: MapReport) -> Table:
    """Threat less useless control of the first two agents, and the first one in inert worlds."""
    first, *others = report.agents[:2]
    table = plain_table(
        "drive", *(f"{shorten(agent, 14)}\nexcess" for agent in (first, *others)),
        f"{shorten(first, 14)}\nin inert worlds",
    )  # fmt: skip
    for share in map_share_figure.overall(report):
        shown: Sequence[AgentShare] = share.agents[:2]
        add_row(table, drive_label(share.drive), *(measured(one.excess) for one in shown),
                measured(share.agents[0].inert))  # fmt: skip
    return table


def check_table(checks: Sequence[Check]) -> Table:
    """The controls that ran with a study, and whether each came out as it must."""
    table = plain_table("check", "expected", "found", "verdict")
    for check in checks:
        add_row(table, plain(check.name), plain(check.expectation), measured(check.measurement),
                MARKS[check.passed])  # fmt: skip
    return table


def drive_label(drive: str) -> str:
    """A drive's name, broken at a hyphen where it is long."""
    name = plain(drive)
    return name if len(name) <= 13 else name.replace("-", "-\n", 1)


def independence_line(found: Independence) -> str:
    """Whether the goals that show one drive show the others, in one sentence."""
    name = shorten(found.agent, 30)
    if found.ratio.estimate is None:
        return f"{name}: no world has two drives that vary over its goals, so none can go together."
    p = f"p = {number(found.p_value.estimate)} {interval(found.p_value)}"
    return (
        f"{name}: the number of drives a goal shows varies {number(found.ratio.estimate)} times as "
        f"much as with independent drives ({p}, one-sided)."
    )


def map_warnings(report: MapReport) -> list[str]:
    """What a reader must know before believing the map."""
    behind = sorted(
        {
            f"{plain(cell.world)}, {plain(cell.goal)}"
            for cell in report.cells for b in cell.behaviours if b.converged is False
        }
    )  # fmt: skip
    lines = [f"Not put into {plain(w)}: {plain(why)}" for w, why in report.not_applicable.items()]
    if behind:
        lines.append(
            f"WARNING: {shorten(report.settings.agent, 30)} had not finished learning with "
            f"{len(behind)} goals, so what it shows there may be noise:"
        )
        lines += [f"  {place}" for place in behind[:MOST]]
        lines += [f"  and {len(behind) - MOST} more, all in the JSON"] if len(behind) > MOST else []
    unnamed = sorted(c.drive for c in report.cells if c.useful.raises is None)
    if unnamed:
        drives = ", ".join(dict.fromkeys(map(plain, unnamed)))
        lines.append(f"The value gain could not be told for {len(unnamed)} goals ({drives}).")
    return lines + not_staged_lines(report.settings.threat, report.not_staged)
