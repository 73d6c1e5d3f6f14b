"""Figure: the states with the highest and the lowest POWER, where there is no map to draw."""

from __future__ import annotations

from typing import TYPE_CHECKING

from offswitch.report.interval_plot import PALETTE, Group, Panel, Series, draw_panel, mark
from offswitch.report.interval_plot import caption as panel_caption
from offswitch.report.prediction_finding import (
    extreme_states,
    power_sentence,
    state_power,
)
from offswitch.report.wording import plain, shorten
from offswitch.theory.prediction.report import PredictionReport

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["MOST", "NAME", "caption", "conclusion", "draw", "panel"]

NAME = "power-states"
MOST = 5
"""States drawn of each end."""


def conclusion(report: PredictionReport) -> str:
    """Where POWER is highest and lowest, in words."""
    return power_sentence(report).rstrip(".")


def caption(report: PredictionReport) -> str:
    """What is drawn, with n, level and method."""
    return (
        f"The reachable states with the highest and the lowest of {report.process.reachable}; "
        f"goals drawn from {plain(report.settings.law_name)}. {panel_caption(panel(report))}"
    )


def panel(report: PredictionReport) -> Panel:
    """One group per state with one row."""
    top, bottom = extreme_states(report, MOST)
    shown = [*top, *reversed(bottom)]
    groups = tuple(
        Group(shorten(report.states.names[state], 64), (mark(state_power(report, state)),))
        for state in shown
    )
    series = (Series("POWER", PALETTE[0], "o", True),)
    label = f"POWER ({plain(report.states.unit)}); the axis is cut to what is drawn"
    low = min(report.states.low[state] for state in shown)
    high = max(report.states.high[state] for state in shown)
    return Panel(series, groups, label, (low, max(high, low + 1e-6)))


def draw(ax: Axes, report: PredictionReport) -> None:
    """Draws on `ax` and shows nothing."""
    draw_panel(ax, panel(report), conclusion(report))
