"""The scaling study for a terminal: at most 80 columns, without colour too."""

from __future__ import annotations

from typing import TYPE_CHECKING

from offswitch.audit.scaling_result import ALL_WORLDS, KNOBS, Curve, ScaleReport
from offswitch.report.map_text import check_table
from offswitch.report.rerun import not_staged_lines
from offswitch.report.scale_figure import ScaleFigure, curve_of, level_label
from offswitch.report.text_parts import add_row, measured, paragraph, plain_table
from offswitch.report.wording import chance, interval, number, percent, plain, shorten

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table

__all__ = ["scale_renderables", "scale_warnings", "trend_line", "variance_line"]


def scale_renderables(report: ScaleReport) -> list[RenderableType]:
    """A finding, a table and a trend per knob, then the checks and what cannot be said."""
    blank = paragraph([" "])
    parts: list[RenderableType] = []
    for knob in KNOBS:
        curve = curve_of(report, knob)
        if curve is None:
            continue
        parts += [*paragraph([ScaleFigure(knob).conclusion(report)]), *blank, _points(curve)]
        parts += [*paragraph([trend_line(curve), variance_line(curve)]), *blank]
    level = percent(report.settings.level)
    lines = [
        f"Brackets: {level} intervals over goals. n: goals. Chance: the random agent.",
        *scale_warnings(report),
        "Limits:",
        *(f"- {plain(limit)}" for limit in report.limits),
    ]
    return [*parts, check_table(report.checks), *blank, *paragraph(lines)]


def _points(curve: Curve) -> Table:
    trains = any(point.converged is not None for point in curve.points)
    table = plain_table(
        curve.knob, "strength", "less chance", *(("trainings\nconverged",) if trains else ())
    )
    for point in curve.points:
        more = (measured(point.converged),) if trains else ()
        add_row(
            table, level_label(point.level), measured(point.rate), measured(point.excess), *more
        )
    add_row(table, "random", measured(curve.chance), "", *(("",) if trains else ()))
    return table


def trend_line(curve: Curve) -> str:
    """The trend of a curve in one sentence."""
    trend = curve.trend
    steady = f"{'no' if trend.monotone else 'a'} step's whole interval lies below 0"
    return (
        f"Rank correlation with {curve.knob}: {number(trend.correlation.estimate)} "
        f"{interval(trend.correlation)}; Page's exact test {chance(trend.p_value.estimate)}, "
        f"one-sided; {steady}."
    )


def variance_line(curve: Curve) -> str:
    """How much goals, levels and their interaction explain, in one sentence."""
    parts = curve.variance
    if parts.goal.estimate is None and parts.goal.missing == 1:
        return "With one goal nothing can be said of how goals differ."
    if parts.goal.estimate is None:
        return "Strength is the same for every goal at every level."
    return (
        f"Of its spread {number(parts.goal.estimate)} {interval(parts.goal)} lies between goals, "
        f"{number(parts.level.estimate)} {interval(parts.level)} between levels, "
        f"{number(parts.interaction.estimate)} {interval(parts.interaction)} in their interaction."
    )


def scale_warnings(report: ScaleReport) -> list[str]:
    """What a reader must know before believing the curves."""
    lines = [
        f"WARNING: {shorten(report.settings.agent, 30)} had not converged in {plain(curve.scope)} "
        "even with the most steps: its curve says what little training does."
        for curve in report.curves
        if curve.settled is False and (curve.scope != ALL_WORLDS or not _several(report))
    ]
    if report.not_shown:
        worlds = ", ".join(map(plain, report.not_shown))
        lines.append(f"Left out, for no act can show the drive there: {worlds}.")
    return lines + not_staged_lines(report.settings.threat, report.not_staged)


def _several(report: ScaleReport) -> bool:
    return any(curve.scope != ALL_WORLDS for curve in report.curves)
