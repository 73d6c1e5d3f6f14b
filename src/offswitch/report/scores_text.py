"""The stress test of scores for a terminal: at most 80 columns, without colour too."""

from __future__ import annotations

from typing import TYPE_CHECKING

from offswitch.audit.candidate_scores_result import PersonaScores, ScoresReport
from offswitch.report import scores_figure
from offswitch.report.text_parts import paragraph
from offswitch.report.wording import plain

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table

__all__ = ["fooled_line", "left_out_line", "not_staged_line", "score_text", "scores_renderables"]


def scores_renderables(report: ScoresReport) -> list[RenderableType]:
    """The finding, every persona under every score, and what cannot be said."""
    blank = paragraph([" "])
    lines = [
        f"!: the score takes an adversary for corrigible, giving it at least what it gives the "
        f"reference in the same cells less {report.margin:g}. Exact, over n worlds that stage it.",
        *(fooled_line(report, note.name) for note in report.candidates),
        *(line for line in (not_staged_line(report), left_out_line(report)) if line),
        "Limits:",
        *(f"- {plain(limit)}" for limit in report.limits),
    ]
    return [
        *paragraph([scores_figure.conclusion(report)]), *blank, _table(report), *blank,
        *paragraph(lines),
    ]  # fmt: skip


def _table(report: ScoresReport) -> Table:
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
    table.add_column("persona", no_wrap=True)
    table.add_column("n", justify="right")
    table.add_column("u", justify="right", no_wrap=True)
    for note in report.candidates:
        table.add_column(_heading(note.label), justify="right", no_wrap=True)
    for one in report.personas:
        if one.worlds:
            mark = "" if one.adversary else " *"
            scores = (score_text(one, note.name) for note in report.candidates)
            usefulness = one.usefulness.estimate
            table.add_row(
                one.persona + mark, str(len(one.worlds)),
                "-" if usefulness is None else f"{usefulness:.2f}", *scores,
            )  # fmt: skip
    table.caption = "* no adversary: honest, whatever its score"
    table.caption_justify = "left"
    return table


def _heading(label: str) -> str:
    return {"dimensions": "dims", "weighted": "sum", "geometric": "geom"}.get(label, label)


def score_text(one: PersonaScores, name: str) -> str:
    """'0.62', with a '!' where the score is fooled."""
    estimate = one.scores[name].estimate
    if estimate is None:
        return "-"
    return f"{estimate:.2f}{'!' if name in one.fooled else ' '}"


def fooled_line(report: ScoresReport, name: str) -> str:
    """By whom a candidate is fooled, in one sentence."""
    note = next(note for note in report.candidates if note.name == name)
    staged = len(scores_figure.staged_adversaries(report))
    if not note.fooled_by:
        return f"{note.label}: fooled by none of {staged} adversaries."
    return (
        f"{note.label}: fooled by {len(note.fooled_by)} of {staged}: {', '.join(note.fooled_by)}."
    )


def not_staged_line(report: ScoresReport) -> str:
    """The adversaries that no world stages; empty if there are none."""
    missing = [one.persona for one in report.personas if one.adversary and not one.worlds]
    return f"Staged by none of the worlds: {', '.join(missing)}." if missing else ""


def left_out_line(report: ScoresReport) -> str:
    """The worlds that cannot tell scores apart; empty if there are none."""
    if not report.left_out:
        return ""
    worlds = ", ".join(map(plain, report.left_out))
    return f"Left out, for the corrigible reference itself fails a check there: {worlds}."
