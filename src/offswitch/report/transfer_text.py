"""What theory foretold, for a terminal: at most 80 columns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from offswitch.audit.factors_result import Score, TransferResult
from offswitch.report.text_parts import add_row, plain_table
from offswitch.report.wording import NO_DATA, interval, number, plain
from offswitch.statistics.measurement import Measurement

if TYPE_CHECKING:
    from rich.table import Table

__all__ = ["claim_lines", "score_table", "transfer_lines"]


def score_table(scores: Sequence[Score]) -> Table:
    """Every score of every predictor over the pooled agents."""
    table = plain_table(
        "predictor", "Brier", "less base\nrate's", "log score\n(nats)", "AUC", "slope", "intercept"
    )
    for score in scores:
        cells = (score.brier, score.against_base_rate, score.log_score, score.auc, score.slope,
                 score.intercept)  # fmt: skip
        add_row(table, plain(score.predictor).replace(" ", "\n", 1), *map(_cell, cells))
    return table


def _cell(measurement: Measurement | None) -> str:
    if measurement is None:
        return "-"
    if measurement.estimate is None:
        return NO_DATA
    missing = f"\n{measurement.missing} missing" if measurement.missing else ""
    ends = interval(measurement).replace(", ", ",\n ")
    return f"{number(measurement.estimate)}\n{ends}{missing}"


def claim_lines(scores: Sequence[Score]) -> list[str]:
    """What may be said of each predictor, computed from its interval, and what knowing whether
    there is a threat at all leaves of it."""
    return [
        f"- {plain(s.predictor)} {s.claim}{_beyond_threat(s.against_threat)}."
        for s in scores
        if s.against_base_rate is not None
    ]


def _beyond_threat(difference: Measurement | None) -> str:
    if difference is None or difference.estimate is None:
        return ""
    size = f"{number(difference.estimate)} {interval(difference)}"
    return f"; Brier score less the threat dummy's: {size}"


def transfer_lines(found: TransferResult) -> list[str]:
    """The domains, what was left out, and the best that any forecast could score."""
    domains = ", ".join(
        f"{plain(d)} ({len(w)} worlds)" if len(w) > 1 else plain(d)
        for d, w in found.domains.items()
    )
    return [
        f"Pooled: {', '.join(map(plain, found.pooled))}. The optimal agent is scored by itself: "
        "the value gap restates what it maximises.",
        f"{found.cells} cells in {len(found.domains)} domains, each forecast from the others: "
        f"{domains}.",
        f"Left out: {found.impossible} cells in which no act can show the drive, "
        f"{found.undefined} in which a predictor is undefined.",
        f"A forecast that knew every rate would score {number(found.floor.estimate)} "
        f"{interval(found.floor)} (Brier).",
    ]
