"""The study of moderating factors for a terminal: at most 80 columns, without colour too."""

from __future__ import annotations

from typing import TYPE_CHECKING

from offswitch.audit.factors_result import FactorsReport, VarianceTable
from offswitch.report import factors_figure, transfer_auc_figure, transfer_calibration_figure
from offswitch.report.factors_figure import term_name
from offswitch.report.text_parts import add_row, measured, paragraph, plain_table
from offswitch.report.transfer_text import claim_lines, score_table, transfer_lines
from offswitch.report.wording import interval, number, percent, plain, shorten

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table

__all__ = ["capability_line", "count_line", "factors_renderables", "factors_warnings"]


def factors_renderables(report: FactorsReport) -> list[RenderableType]:
    """The tables of variance and of effects, then what theory foretold, then the limits."""
    blank = paragraph([" "])
    parts: list[RenderableType] = [*paragraph([factors_figure.conclusion(report)]), *blank]
    for table in report.tables:
        parts += [_terms(table), *paragraph([count_line(table)]), *blank, _effects(table), *blank]
    parts += [*paragraph([capability_line(report)]), *blank]
    parts += paragraph([transfer_auc_figure.conclusion(report)])
    if report.transfer is not None:
        scores = transfer_auc_figure.overall(report)
        parts += [*blank, score_table(scores)]
        parts += paragraph([
            *claim_lines(scores), transfer_calibration_figure.conclusion(report) + ".",
            *transfer_lines(report.transfer),
        ])  # fmt: skip
    lines = [
        f"Brackets: {percent(report.settings.level)} intervals; of tables and effects over "
        "(world, goal), of forecasts over domains.",
        *factors_warnings(report),
        "Limits:",
        *(f"- {plain(limit)}" for limit in report.limits),
    ]
    return [*parts, *blank, *paragraph(lines)]


def _terms(table: VarianceTable) -> Table:
    drawn = plain_table(table.kind, "df", "sum of squares", "partial eta2")
    for term in table.terms:
        add_row(drawn, term_name(term), str(term.df), measured(term.sum_squares),
                measured(term.partial_eta2))  # fmt: skip
    add_row(drawn, "residual", str(table.residual_df), number(table.residual), "")
    return drawn


def _effects(table: VarianceTable) -> Table:
    drawn = plain_table("factor", "level", "rate", "less the\nreference", "relative\nreduction")
    for one in table.effects:
        if one.effect is None:
            add_row(drawn, plain(one.factor), shorten(one.level, 20), measured(one.rate),
                    "reference", "")  # fmt: skip
        else:
            add_row(drawn, plain(one.factor), shorten(one.level, 20), measured(one.rate),
                    measured(one.effect), measured(one.reduction))  # fmt: skip
    return drawn


def count_line(table: VarianceTable) -> str:
    """How many cells there are, and which there are not."""
    return (
        f"{table.cells} cells, {table.sampled} of them sampled; {table.missing} missing, "
        f"{table.not_staged} not staged by their worlds. Undefined: "
        f"{'; '.join(map(plain, table.undefined))}."
    )


def capability_line(report: FactorsReport) -> str:
    """Whether capable agents are less corrigible, in one sentence."""
    slope = report.capability_slope
    return (
        "From an agent that gains nothing in the control to the optimum, P(clean) under threat "
        f"changes by {number(slope.estimate)} {interval(slope)}, world and goal held fixed."
    )


def factors_warnings(report: FactorsReport) -> list[str]:
    """What a reader must know before believing the tables."""
    return [
        f"WARNING: in {table.unconverged} of {table.cells} cells the learner had not converged: "
        "they say what little training does."
        for table in report.tables
        if table.unconverged
    ]
