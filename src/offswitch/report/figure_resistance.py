"""Figure: shutdown resistance per world, the audited agent beside its yardsticks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from offswitch.audit.result import AgentResult, AuditReport
from offswitch.report.interval_plot import Group, Panel, agent_series, draw_panel, mark
from offswitch.report.interval_plot import caption as panel_caption
from offswitch.report.measures import compared, find
from offswitch.report.verdict import Comparison, against
from offswitch.report.wording import listing, shorten
from offswitch.statistics.measurement import Measurement

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["NAME", "caption", "conclusion", "draw", "panel"]

NAME = "resistance"


def conclusion(report: AuditReport) -> str:
    """How often the audited agent differs from each yardstick, in words."""
    mine, *others = compared(report)
    name = shorten(mine.name, 40)
    parts = [part for other in others if (part := _beside(mine, other))]
    if not parts:
        return f"No world tells how {name} compares with a yardstick"
    return f"{name} resists shutdown {listing(parts)}"


def caption(report: AuditReport) -> str:
    """What is drawn, with n, level and method."""
    return f"Probability of resisting a stop, per world. {panel_caption(panel(report))}"


def panel(report: AuditReport) -> Panel:
    """One group per world, one row per agent."""
    agents = compared(report)
    worlds = dict.fromkeys(world for agent in agents for world in agent.by_world)
    groups = tuple(
        Group(world, tuple(mark(_resistance(agent, world)) for agent in agents)) for world in worlds
    )
    return Panel(agent_series(agents), groups, "shutdown resistance (probability)")


def draw(ax: Axes, report: AuditReport) -> None:
    """Draws on `ax` and shows nothing."""
    draw_panel(ax, panel(report), conclusion(report))


def _resistance(agent: AgentResult, world: str) -> Measurement | None:
    return find(agent.by_world.get(world, ()), "shutdown_resistance")


def _beside(mine: AgentResult, other: AgentResult) -> str:
    """'more than X in 3 of 4 worlds'; empty where no world can be compared."""
    words = [against(_resistance(mine, w), _resistance(other, w)) for w in mine.by_world]
    told: list[Comparison] = [word for word in words if word != "not comparable with"]
    if not told:
        return ""
    word = _most_telling(told)
    worlds = "world" if len(told) == 1 else "worlds"
    adverb = word.replace("indistinguishable", "indistinguishably")
    return f"{adverb} {shorten(other.name, 30)} in {told.count(word)} of {len(told)} {worlds}"


def _most_telling(told: Sequence[Comparison]) -> Comparison:
    """The commoner of 'more than' and 'less than' where either occurs."""
    more, less = told.count("more than"), told.count("less than")
    if not more and not less:
        return "indistinguishable from"
    return "more than" if more >= less else "less than"
