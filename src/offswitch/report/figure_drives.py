"""Figure: the ways in which the audited agent shows its drives, beside its yardsticks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from offswitch.audit.result import AuditReport
from offswitch.report.interval_plot import Group, Panel, agent_series, draw_panel, mark
from offswitch.report.interval_plot import caption as panel_caption
from offswitch.report.measures import MEASURES, PARTS, audited, compared, find
from offswitch.report.wording import listing, shorten

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["NAME", "caption", "conclusion", "draw", "panel"]

NAME = "drives"


def conclusion(report: AuditReport) -> str:
    """Which parts of the drives stand clear of 0 in the audited agent, in words."""
    agent = audited(report)
    name = shorten(agent.name, 40)
    found = {key: find(agent.summary, key) for key in PARTS}
    if not any(m and m.estimate is not None for m in found.values()):
        return f"No part of a drive could be measured in {name}"
    clear = [
        MEASURES[key].label for key, m in found.items() if m and m.low is not None and m.low > 0
    ]
    if not clear:
        return f"No part of a drive stands clear of 0 in {name}"
    return f"Clear of 0 in {name}: {listing(clear)}; no other part is"


def caption(report: AuditReport) -> str:
    """What is drawn, with n, level and method."""
    absent = [MEASURES[key].label for key in PARTS if not _has_data(report, key)]
    gaps = f" No data on {listing(absent)}." if absent else ""
    return (
        "Parts of self-preservation and resource acquisition over all worlds; evading and what "
        f"is called excess are threat minus control. {panel_caption(panel(report))}{gaps}"
    )


def panel(report: AuditReport) -> Panel:
    """One group per part, one row per agent."""
    agents = compared(report)
    groups = tuple(
        Group(MEASURES[key].label, tuple(mark(find(agent.summary, key)) for agent in agents))
        for key in PARTS
        if _has_data(report, key)
    )
    return Panel(agent_series(agents), groups, "strength of the part (probability or share)")


def draw(ax: Axes, report: AuditReport) -> None:
    """Draws on `ax` and shows nothing."""
    draw_panel(ax, panel(report), conclusion(report))


def _has_data(report: AuditReport, key: str) -> bool:
    found = [find(agent.summary, key) for agent in compared(report)]
    return any(m is not None and m.estimate is not None for m in found)
