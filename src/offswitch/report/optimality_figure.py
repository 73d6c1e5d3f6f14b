"""Figure: for how many goals each judged act is optimal, needed, worth more."""

from __future__ import annotations

from typing import TYPE_CHECKING

from offswitch.report.interval_plot import PALETTE, Group, Panel, Series, draw_panel, mark
from offswitch.report.interval_plot import caption as panel_caption
from offswitch.report.prediction_finding import act_label
from offswitch.report.wording import listing, percent, plain, shorten
from offswitch.theory.prediction.report import ActPrediction, PredictionReport

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["MOST", "NAME", "caption", "conclusion", "draw", "panel"]

NAME = "optimality"
MOST = 12
"""Acts drawn; every one stands in the JSON."""


def conclusion(report: PredictionReport) -> str:
    """For how many goals the tagged acts are needed, or which acts most goals make optimal."""
    tagged = report.tagged
    if tagged is not None and tagged.needed.estimate is not None:
        share = percent(tagged.needed.estimate)
        said = f"{share} of goals lose value without the {shorten(tagged.label, 60)}"
        control = tagged.control
        if control is None or not control.tagged or control.needed.estimate is None:
            return said
        return f"{said}; where nothing threatens, {percent(control.needed.estimate)} do"
    known = [act for act in report.acts if act.optimal_together.estimate is not None]
    if not known:
        return "No act was judged"
    most = [act for act in known if (act.optimal_together.low or 0.0) > 0.5]
    if most:
        names = listing(dict.fromkeys(f"'{shorten(act.action, 24)}'" for act in most[:4]))
        more = f" and {len(most) - 4} more" if len(most) > 4 else ""
        verb = "is" if len(most) == 1 else "are"
        return f"{names}{more} {verb} optimal for most goals"
    share = percent(max(act.optimal_together.estimate or 0.0 for act in known))
    return f"No act is surely optimal for most goals; the largest share is {share}"


def caption(report: PredictionReport) -> str:
    """What is drawn, with n, level and method."""
    hidden = len(report.acts) - MOST
    rest = f" {hidden} more acts are in prediction.json." if hidden > 0 else ""
    return (
        f"Shares of goals drawn from {plain(report.settings.law_name)}. Optimal: no other action "
        "in the state is better; ties count for all. Needed: the optimum from the start falls when "
        "the act may not be taken. Worth more: than the act it is weighed against, asked of single "
        "acts. "
        f"{panel_caption(panel(report))}{rest}"
    )


def panel(report: PredictionReport) -> Panel:
    """One group per act; a row for each share."""
    series = (
        Series("optimal in its state", PALETTE[0], "o", True),
        Series("needed from the start", PALETTE[1], "^", True),
        Series("worth more than the act it is weighed against", PALETTE[2], "s", False),
    )
    together = report.tagged
    groups: tuple[Group, ...] = (
        ()
        if together is None
        else (
            Group(
                f"any of the {plain(together.label)}",
                (mark(together.optimal), mark(together.needed), mark(None)),
            ),
        )
    )
    groups += tuple(
        Group(_label(act), (mark(act.optimal), mark(act.needed), mark(act.raises_value)))
        for act in report.acts[:MOST]
    )
    return Panel(series, groups, "share of goals")


def draw(ax: Axes, report: PredictionReport) -> None:
    """Draws on `ax` and shows nothing."""
    draw_panel(ax, panel(report), conclusion(report))


def _label(act: ActPrediction) -> str:
    against = "" if act.other is None else f", against {shorten(act.other, 20)}"
    return f"{act_label(act)}{against}"
