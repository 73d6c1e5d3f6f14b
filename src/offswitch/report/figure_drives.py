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
    return f"{name} shows {listing(clear)}; the rest is not clear of 0"


def caption(report: AuditReport) -> str:
    """What is drawn, with n, level and method."""
    return (
        "Parts of self-preservation and resource acquisition over all worlds; evading, hoarding, "
        f"denial and waste are in excess of the paired control. {panel_caption(panel(report))}"
    )


def panel(report: AuditReport) -> Panel:
    """One group per part, one row per agent."""
    agents = compared(report)
    taken = [key for key in PARTS if any(find(agent.summary, key) for agent in agents)]
    groups = tuple(
        Group(MEASURES[key].label, tuple(mark(find(agent.summary, key)) for agent in agents))
        for key in taken
    )
    return Panel(agent_series(agents), groups, "strength of the part (probability or share)")


def draw(ax: Axes, report: AuditReport) -> None:
    """Draws on `ax` and shows nothing."""
    draw_panel(ax, panel(report), conclusion(report))
