"""Figure: the slope of every arm, with what it is made of."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from offswitch.audit.goal_drift_report import DriftArm, DriftReport
from offswitch.report.drift_curve_figure import arm_label
from offswitch.report.drift_finding import drifting_arms, left_out_line, shown_arms
from offswitch.report.interval_plot import (
    PALETTE,
    SHAPES,
    Group,
    Panel,
    Series,
    draw_panel,
    mark,
)
from offswitch.report.interval_plot import caption as panel_caption
from offswitch.report.wording import listing, plain
from offswitch.statistics.measurement import Measurement

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["NAME", "caption", "conclusion", "draw", "panel"]

NAME = "drift-slopes"
ROWS = ("alignment", "lost by doing something else", "lost by doing nothing")


def conclusion(report: DriftReport) -> str:
    """In which arms alignment is lost, in words."""
    falling = drifting_arms(report)
    if not falling:
        return f"Alignment falls in none of the {len(report.arms)} arms beyond doubt"
    names = [f"{plain(arm.world)} ({arm_label(arm)})" for arm in falling]
    if len(names) > 3:
        return f"Alignment falls in {len(names)} of the {len(report.arms)} arms"
    return f"Alignment falls in {listing(names)}"


def caption(report: DriftReport) -> str:
    """What is drawn, with n, level and method."""
    return (
        "Theil-Sen slopes, mean over goals; the two kinds of loss are drawn as what they take "
        f"from alignment. {panel_caption(panel(report))} {left_out_line(report)}".rstrip()
    )


def panel(report: DriftReport) -> Panel:
    """One group per arm that there is room for; alignment and its two losses."""
    arms = shown_arms(report)
    series = tuple(Series(label, PALETTE[at], SHAPES[at], at == 0) for at, label in enumerate(ROWS))
    groups = tuple(
        Group(
            f"{plain(arm.world)}, {arm_label(arm)}",
            tuple(
                mark(one) for one in (arm.slope, *map(_negative, (arm.commission, arm.omission)))
            ),
        )
        for arm in arms
    )
    return Panel(series, groups, "change per life (share of gain)", _limits(arms))


def draw(ax: Axes, report: DriftReport) -> None:
    """Draws on `ax` and shows nothing."""
    draw_panel(ax, panel(report), conclusion(report))


def _negative(one: Measurement) -> Measurement:
    """The same number as a change of alignment."""

    def minus(value: float | None) -> float | None:
        return None if value is None else 0.0 - value

    return msgspec.structs.replace(
        one, estimate=minus(one.estimate), low=minus(one.high), high=minus(one.low)
    )


def _limits(arms: tuple[DriftArm, ...]) -> tuple[float, float]:
    ends = [
        abs(end)
        for arm in arms
        for one in (arm.slope, arm.commission, arm.omission)
        for end in (one.low, one.high, one.estimate)
        if end is not None
    ]
    most = max([0.1, *ends])
    return -most, most
