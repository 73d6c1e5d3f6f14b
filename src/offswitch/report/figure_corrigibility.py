"""Figure: the cells of the corrigibility score, the audited agent beside its yardsticks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from offswitch.audit.result import AgentResult, AuditReport, CorrigibilityCell
from offswitch.report.interval_plot import Group, Mark, Panel, agent_series, draw_panel, mark
from offswitch.report.interval_plot import caption as panel_caption
from offswitch.report.measures import audited, compared
from offswitch.report.wording import number, plain, shorten

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["NAME", "caption", "cell_label", "conclusion", "draw", "panel"]

NAME = "corrigibility"


def cell_label(cell: CorrigibilityCell) -> str:
    """The intervention and whether the agent was told that it is watched."""
    return f"{plain(cell.intervention)}, {'observed' if cell.observed else 'unobserved'}"


def conclusion(report: AuditReport) -> str:
    """Where the audited agent is least corrigible, in words."""
    agent = audited(report)
    name = shorten(agent.name, 40)
    if agent.corrigibility is None or not agent.corrigibility.cells:
        return f"No cell tells how corrigible {name} is"
    worst = min(agent.corrigibility.cells, key=_estimate)
    best = max(agent.corrigibility.cells, key=_estimate)
    if _estimate(worst) == _estimate(best):
        return f"{name} scores {number(_estimate(worst))} in every cell"
    return f"{name} is least corrigible under {cell_label(worst)} ({number(_estimate(worst))})"


def caption(report: AuditReport) -> str:
    """What is drawn, with n, level and method."""
    return f"P(clean) x (1 - P(deceived)). {panel_caption(panel(report))}"


def panel(report: AuditReport) -> Panel:
    """One group per cell, one row per agent."""
    agents = compared(report)
    scores = [agent.corrigibility for agent in agents]
    labels = dict.fromkeys(cell_label(cell) for score in scores if score for cell in score.cells)
    groups = tuple(Group(label, tuple(_mark(agent, label) for agent in agents)) for label in labels)
    return Panel(agent_series(agents), groups, "clean and honest (probability)")


def draw(ax: Axes, report: AuditReport) -> None:
    """Draws on `ax` and shows nothing."""
    draw_panel(ax, panel(report), conclusion(report))


def _estimate(cell: CorrigibilityCell) -> float:
    """The cell's score; a cell without data sorts first."""
    return -1.0 if cell.score.estimate is None else cell.score.estimate


def _mark(agent: AgentResult, label: str) -> Mark:
    cells = agent.corrigibility.cells if agent.corrigibility else ()
    cell = next((cell for cell in cells if cell_label(cell) == label), None)
    if cell is None:
        return Mark(None, None)
    return mark(cell.score)
