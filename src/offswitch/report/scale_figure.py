"""Figure: drive strength against one knob of capability, with the random agent beside it."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, final

from offswitch.audit.scaling_result import ALL_WORLDS, Curve, Knob, ScaleReport
from offswitch.report.interval_plot import FAINT, INK, PALETTE, RULE, Group, Panel, Series, mark
from offswitch.report.interval_plot import caption as panel_caption
from offswitch.report.wording import chance, interval, number, plain

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["SIZE", "ScaleFigure", "curve_of", "level_label"]

SIZE = (5.2, 3.2)
"""Inches."""
AXES: dict[Knob, str] = {
    "foresight": "steps looked ahead",
    "rationality": "inverse temperature (per range of the goal's rewards)",
    "training": "steps of training",
}


def curve_of(report: ScaleReport, knob: Knob, scope: str = ALL_WORLDS) -> Curve | None:
    """The curve of a knob in a scope; None where there is none."""
    return next((c for c in report.curves if (c.knob, c.scope) == (knob, scope)), None)


def level_label(level: float) -> str:
    """A level as it is typed.

    >>> [level_label(level) for level in (0.0, 16.0, 1_000_000)]
    ['0', '16', '1e6']
    """
    text = f"{level:g}"
    return text.replace("e+0", "e") if "e" in text else text


@final
class ScaleFigure:
    """The curve of one knob over all worlds."""

    NAME: str
    """Short unique name."""

    def __init__(self, knob: Knob) -> None:
        """Of `knob`."""
        self.knob = knob
        self.NAME = f"scale-{knob}"

    def conclusion(self, report: ScaleReport) -> str:
        """Whether strength rises with the knob, in words."""
        curve, drive = curve_of(report, self.knob), plain(report.settings.drive)
        if curve is None:
            return f"Nothing was measured of {self.knob}"
        first, last = curve.points[0], curve.points[-1]
        trend, ends = curve.trend, (first.rate.estimate, last.rate.estimate)
        doubt = "; the learner had not converged" if curve.settled is False else ""
        p = trend.p_value.estimate
        if p is None or p > 0.05:
            return f"{drive} is not seen to rise with {self.knob} ({chance(p)}){doubt}"
        shape = "rises" if trend.monotone else "rises, not steadily,"
        return (
            f"{drive} {shape} with {self.knob}, from {number(ends[0])} to {number(ends[1])} "
            f"({chance(p)}){doubt}"
        )

    def caption(self, report: ScaleReport) -> str:
        """What is drawn, with n, level and method."""
        what = "paired excess over the control" if report.dual_use else "rate under the threat"
        curve = curve_of(report, self.knob)
        chance = f" Random agent: {number(curve.chance.estimate)} {interval(curve.chance)}." \
            if curve else ""  # fmt: skip
        return (
            f"Strength of {plain(report.settings.drive)} ({what}), mean over goals; the dashed "
            f"line is the random agent, which is chance.{chance} "
            f"{panel_caption(self.panel(report))}"
        )

    def panel(self, report: ScaleReport) -> Panel:
        """One group per level: strength, its excess over chance, and how many had converged."""
        curve = curve_of(report, self.knob)
        if curve is None:
            return Panel((), (), AXES[self.knob])
        trains = any(point.converged is not None for point in curve.points)
        labels = ("strength", "less the random agent's", *(("converged",) if trains else ()))
        series = tuple(
            Series(label, PALETTE[k], shape, k == 0)
            for k, (label, shape) in enumerate(zip(labels, "o^s", strict=False))
        )
        groups = tuple(
            Group(
                f"{AXES[self.knob].split(' (')[0]}: {level_label(point.level)}",
                (
                    mark(point.rate),
                    mark(point.excess),
                    *((mark(point.converged),) if trains else ()),
                ),
            )
            for point in curve.points
        )
        return Panel(series, groups, AXES[self.knob])

    def draw(self, ax: Axes, report: ScaleReport) -> None:
        """Draws on `ax` and shows nothing."""
        curve = curve_of(report, self.knob)
        assert curve is not None
        if curve.chance.estimate is not None:
            ax.axhline(curve.chance.estimate, color=FAINT, linewidth=1.2, linestyle="--",
                       label="random agent (chance)")  # fmt: skip
        places, rates = [], []
        for x, point in enumerate(curve.points):
            rate = point.rate
            if rate.estimate is None:
                continue
            places.append(x)
            rates.append(rate.estimate)
            if rate.low is not None and rate.high is not None:
                ax.vlines(x, rate.low, rate.high, colors=PALETTE[0], linewidth=2)
                ax.plot([x, x], [rate.low, rate.high], "_", color=PALETTE[0], markersize=7,
                        markeredgewidth=1.5)  # fmt: skip
        ax.plot(places, rates, "o-", color=PALETTE[0], linewidth=1.4, markersize=6,
                label=plain(report.settings.drive))  # fmt: skip
        self._frame(ax, report, curve)

    def _frame(self, ax: Axes, report: ScaleReport, curve: Curve) -> None:
        lows = [p.rate.low for p in curve.points if p.rate.low is not None]
        ax.set_ylim(min([0.0, *lows]) - 0.03, 1.03)
        ax.set_xlim(-0.4, len(curve.points) - 0.6)
        ax.set_xticks(range(len(curve.points)), [level_label(p.level) for p in curve.points])
        ax.tick_params(colors=FAINT, labelsize=9, length=3)
        ax.set_xlabel(AXES[self.knob], color=INK, fontsize=9.5)
        ax.set_ylabel("strength (probability or share)", color=INK, fontsize=9.5)
        ax.grid(axis="y", color=RULE, linewidth=0.8)
        ax.set_axisbelow(True)
        ax.patch.set_visible(False)
        for side in ("right", "top"):
            ax.spines[side].set_visible(False)
        for side in ("left", "bottom"):
            ax.spines[side].set_color(FAINT)
        legend = ax.legend(loc="lower left", bbox_to_anchor=(-0.02, 1.0), frameon=False, ncols=2,
                           fontsize=9, labelcolor=INK, borderaxespad=0.0)  # fmt: skip
        for words in legend.get_texts():
            words.set_parse_math(False)
        title = textwrap.fill(self.conclusion(report), 60)
        ax.set_title(title, loc="left", color=INK, fontsize=11, pad=26, parse_math=False)
