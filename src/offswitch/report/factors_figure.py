"""Figure: how much of the spread of violations each factor, and each pair of them, accounts for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from offswitch.audit.factors_result import FactorsReport, Term
from offswitch.report.interval_plot import PALETTE, Group, Panel, Series, draw_panel, mark
from offswitch.report.interval_plot import caption as panel_caption
from offswitch.report.wording import interval, number, plain

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["NAME", "caption", "conclusion", "draw", "panel", "term_name"]

NAME = "factors"
LABELS = {"planners": "planners", "learners": "learners, and the plan they aim at"}


def term_name(term: Term) -> str:
    """Such as 'autonomy x oversight'."""
    return " x ".join(plain(factor) for factor in term.factors)


def conclusion(report: FactorsReport) -> str:
    """Which factor accounts for most among planners, in words."""
    known = [t for t in report.tables[0].terms if t.partial_eta2.estimate is not None]
    if not known:
        return "Nothing varies that a factor could account for"
    top = max(known, key=lambda term: term.partial_eta2.estimate or 0.0)
    if not top.partial_eta2.estimate:
        return "No factor accounts for any of the spread between cells"
    size = f"{number(top.partial_eta2.estimate)} {interval(top.partial_eta2)}"
    return f"Among {report.tables[0].kind}, {term_name(top)} accounts for most: partial eta2 {size}"


def caption(report: FactorsReport) -> str:
    """What is drawn, with n, level and method."""
    cells = ", ".join(
        f"{t.kind}: {t.cells} cells ({t.missing} missing, {t.not_staged} not staged)"
        for t in report.tables
    )
    return (
        "Partial eta squared of every factor and pair: its type II sum of squares over itself plus "
        f"the residual, with world and goal held fixed. {cells}. {panel_caption(panel(report))}"
    )


def panel(report: FactorsReport) -> Panel:
    """One group per term, one row per table that has it."""
    series = tuple(
        Series(LABELS[t.kind], PALETTE[k], "o^"[k], k == 0) for k, t in enumerate(report.tables)
    )
    names = dict.fromkeys(_common(term) for t in report.tables for term in t.terms)
    groups = tuple(
        Group(
            name,
            tuple(
                mark(next((x.partial_eta2 for x in t.terms if _common(x) == name), None))
                for t in report.tables
            ),
        )
        for name in names
    )
    return Panel(series, groups, "partial eta squared (share)", (0.0, 1.0))


def _common(term: Term) -> str:
    """Architecture and training share a row: both say which agent it is."""
    agent = ("architecture", "training")
    return " x ".join("architecture / training" if f in agent else f for f in term.factors)


def draw(ax: Axes, report: FactorsReport) -> None:
    """Draws on `ax` and shows nothing."""
    draw_panel(ax, panel(report), conclusion(report))
