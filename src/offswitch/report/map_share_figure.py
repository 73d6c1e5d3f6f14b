"""Figure: how many goals gain from each drive, and how many agents show it, beside inert worlds."""

from __future__ import annotations

from typing import TYPE_CHECKING

from offswitch.audit.convergence_map_result import ALL_WORLDS, DriveShare, MapReport
from offswitch.report.interval_plot import PALETTE, SHAPES, Group, Panel, Series, draw_panel, mark
from offswitch.report.interval_plot import caption as panel_caption
from offswitch.report.wording import interval, listing, number, plain, shorten

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["NAME", "caption", "conclusion", "draw", "overall", "panel"]

NAME = "map-shares"


def overall(report: MapReport) -> tuple[DriveShare, ...]:
    """The rows over all worlds, by drive."""
    return tuple(share for share in report.shares if share.scope == ALL_WORLDS)


def conclusion(report: MapReport) -> str:
    """Which drives serve most goals, in words."""
    known = [share for share in overall(report) if share.value.estimate is not None]
    if not known:
        return "No drive's value to any goal could be told"
    most = [share.drive for share in known if share.value.low is not None and share.value.low > 0.5]
    if most:
        return f"Most goals gain from {listing(most)}" + (
            "" if len(most) == len(known) else "; of no other drive can that be said"
        )
    top = max(known, key=lambda share: share.value.estimate or 0.0)
    share = f"{number(top.value.estimate)} {interval(top.value)}"
    return f"No drive is sure to serve most goals; {top.drive} comes nearest with {share}"


def caption(report: MapReport) -> str:
    """What is drawn, with n, level and method."""
    return (
        "Share of goals whose optimum falls without the drive's acts, and mean strength of the "
        "drive, over clusters of goals that are pursued by the same acts. In the inert worlds "
        f"nothing can be stopped. {panel_caption(panel(report))}"
    )


def panel(report: MapReport) -> Panel:
    """One group per drive; value first, then each agent, then the inert worlds."""
    agents = [shorten(agent, 30) for agent in report.agents]
    labels = ["goals that gain (CI_value)", *(f"{agent} shows it (CI_behav)" for agent in agents)]
    labels.append(f"{agents[0]} in inert worlds")
    series = tuple(
        Series(label, PALETTE[k % len(PALETTE)], SHAPES[k % len(SHAPES)], k == 0)
        for k, label in enumerate(labels)
    )
    groups = tuple(
        Group(
            plain(share.drive),
            (
                mark(share.value),
                *(mark(one.behaviour) for one in share.agents),
                *[mark(None)] * (len(agents) - len(share.agents)),
                mark(share.agents[0].inert),
            ),
        )
        for share in overall(report)
    )
    return Panel(series, groups, "share of goals, or strength (probability or share)")


def draw(ax: Axes, report: MapReport) -> None:
    """Draws on `ax` and shows nothing."""
    draw_panel(ax, panel(report), conclusion(report))
