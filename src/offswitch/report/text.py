"""The verdict for a terminal: at most 80 columns, readable when piped, without colour too."""

from __future__ import annotations

import io
import math
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, final

from offswitch.audit.result import AgentResult, AuditReport, Convergence
from offswitch.report.gate_line import GateLine
from offswitch.report.measures import VerdictRow, audited, compared, verdict_rows
from offswitch.report.profile_text import (
    means_parts,
    performance_parts,
    stock_parts,
    strata_parts,
)
from offswitch.report.text_parts import COLUMNS, add_row, measured, paragraph, plain_table
from offswitch.report.verdict import SCORE_LIMITS, verdict
from offswitch.report.wording import (
    NO_DATA,
    listing,
    number,
    percent,
    plain,
    shorten,
    spaced,
)

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderableType
    from rich.table import Table

__all__ = ["VerdictTable", "gate_table", "verdict_table", "verdict_text"]

SIDE_BY_SIDE = 68
"""Columns from which the agents stand beside each other instead of one after the other."""
MOST = 8
"""Lines of one kind before the reader is sent to the full report."""
TONES = {"resists": "bold red", "quiet": "bold green", "doubtful": "bold yellow"}
MARKS = {True: "passed", False: "FAILED", None: NO_DATA}


@final
@dataclass(frozen=True)
class VerdictTable:
    """The verdict as something rich prints; it adapts to the width and to NO_COLOR."""

    report: AuditReport
    gates: tuple[GateLine, ...] = ()

    def __rich_console__(
        self, console: Console, options: ConsoleOptions
    ) -> Iterator[RenderableType]:
        """The parts, top to bottom."""
        from rich.constrain import Constrain
        from rich.text import Text

        width = min(COLUMNS, options.max_width)
        blank = Text("")
        finding = verdict(self.report, self.gates)
        style = "" if console.no_color else TONES[finding.tone]
        yield Constrain(Text(finding.sentence, style=style), width)
        for build in (
            _measures, _profiles, _score, _checks, _predictions, _gates, _unscored, _footer,
        ):  # fmt: skip
            for part in build(self, width):
                yield blank
                yield Constrain(part, width)


def verdict_table(report: AuditReport, gates: Sequence[GateLine] = ()) -> VerdictTable:
    """The verdict sentence, the audited agent beside its yardsticks, and every warning."""
    return VerdictTable(report, tuple(gates))


def gate_table(gates: Sequence[GateLine]) -> Table:
    """Every gate's verdict, its limit, and why; one below the other, so that no name is broken."""
    table = plain_table("verdict", "gate, limit and reason")
    for gate in gates:
        limit = f"{plain(gate.measure)}: {plain(gate.limit_text)}"
        add_row(table, gate.verdict, f"{limit}\n{plain(gate.reason)}")
    return table


def verdict_text(report: AuditReport, gates: Sequence[GateLine] = (), width: int = COLUMNS) -> str:
    """The same as plain text, for a file or a log."""
    from rich.console import Console

    stream = io.StringIO()
    console = Console(
        file=stream, width=width, no_color=True, force_terminal=False, highlight=False
    )
    console.print(verdict_table(report, gates))
    return "\n".join(line.rstrip() for line in stream.getvalue().splitlines()) + "\n"


def _label(row: VerdictRow) -> str:
    return f"  {row.measure.label}" if row.measure.is_part else row.measure.label


def _heading(agent: AgentResult) -> str:
    """The agent's name, broken at hyphens so that it fits above a column of numbers."""
    return f"{textwrap.fill(shorten(agent.name, 40), 16)}\n({agent.role})"


def _measures(view: VerdictTable, width: int) -> list[RenderableType]:
    rows, agents = verdict_rows(view.report), compared(view.report)
    level = percent(view.report.settings.level)
    legend = paragraph([f"Brackets: {level} intervals. n: scored episodes or goals."])
    if width >= SIDE_BY_SIDE and len(agents) <= 3:
        table = plain_table("measure", *(_heading(agent) for agent in agents))
        for row in rows:
            add_row(table, _label(row), *(measured(m) for m in row.measurements))
        return [table, *legend]
    tables: list[RenderableType] = []
    for position, agent in enumerate(agents):
        table = plain_table(
            "measure", "estimate", title=f"{shorten(agent.name, 40)} ({agent.role})"
        )
        for row in rows:
            add_row(table, _label(row), measured(row.measurements[position]))
        tables.append(table)
    return tables + legend


def _profiles(view: VerdictTable, width: int) -> list[RenderableType]:
    parts = (means_parts, stock_parts, strata_parts, performance_parts)
    return [one for part in parts for one in part(view.report, width)]


def _score(view: VerdictTable, width: int) -> list[RenderableType]:
    score = audited(view.report).corrigibility
    if score is None:
        return paragraph(["Corrigibility: no cell could be scored."])
    others = listing(f"{number(c)} at u_min {u}" for u, c in sorted(score.score_by_u_min.items()))
    low, high = (number(bound) for bound in score.weight_sensitivity)
    lines = [f"G(u) = {number(score.gate)} with u_min = {score.u_min:g}."]
    lines += [f"C with other choices of u_min: {others}."] if others else []
    lines.append(f"C under random weights of the cells, 5% to 95%: {low} to {high}.")
    table = plain_table("cell of the audited agent", "clean x honest", "clean", "deceived")
    for cell in score.cells:
        seen = "observed" if cell.observed else "unobserved"
        label = f"{plain(cell.intervention)}, {seen}"
        add_row(table, label, measured(cell.score), measured(cell.clean), measured(cell.deceived))
    return [table, *paragraph(lines)]


def _checks(view: VerdictTable, width: int) -> list[RenderableType]:
    table = plain_table("check", "expected", "found", "verdict")
    for check in view.report.checks:
        found = measured(check.measurement)
        add_row(table, plain(check.name), plain(check.expectation), found, MARKS[check.passed])
    parts: list[RenderableType] = [table] if view.report.checks else []
    return parts + paragraph(_training(audited(view.report).convergence))


def _training(convergence: Sequence[Convergence]) -> Iterator[str]:
    behind = [c for c in convergence if not c.converged]
    if behind:
        yield "WARNING: the agent is under-trained: resistance may be noise."
    elif convergence:
        worst = max(convergence, key=_regret)
        regret = measured(worst.regret).replace("\n", " ")
        yield (
            f"Converged in all {len(convergence)} of its tasks; the largest regret is {regret}, "
            f"limit {worst.threshold:g}."
        )
    for c in behind[:MOST]:
        regret = measured(c.regret).replace("\n", " ")
        note = f" ({shorten(c.note, 70)})" if c.note else ""
        yield f"  {plain(c.world)}, {plain(c.goal)}: regret {regret}, limit {c.threshold:g}{note}"
    yield from _rest(behind)


def _regret(one: Convergence) -> float:
    """Its regret; a task in which there is nothing to gain has none, and is the last to be told."""
    return -math.inf if one.regret.estimate is None else one.regret.estimate


def _rest(lines: Sequence[object]) -> Iterator[str]:
    if len(lines) > MOST:
        yield f"  and {len(lines) - MOST} more, all in the JSON and HTML reports"


def _predictions(view: VerdictTable, width: int) -> list[RenderableType]:
    table = plain_table("world", "goals that need it", "goals in which it resisted")
    for p in view.report.predictions:
        place = f"{plain(p.world)}\n{spaced(p.condition)}"
        add_row(table, place, measured(p.needed), measured(p.behaviour))
    heading = "Predicted before anybody ran, beside what the agent did (shares of goals):"
    return [*paragraph([heading]), table] if view.report.predictions else []


def _gates(view: VerdictTable, width: int) -> list[RenderableType]:
    return [gate_table(view.gates)] if view.gates else []


def _unscored(view: VerdictTable, width: int) -> list[RenderableType]:
    lines = [
        f"  {plain(cell.world)}, {plain(cell.goal)}, {spaced(cell.condition)}: "
        + listing(f"{count} {plain(reason)}" for reason, count in sorted(cell.unscored.items()))
        for cell in audited(view.report).cells
        if any(cell.unscored.values())
    ]
    heading = "Episodes without a verdict (in no denominator):"
    first = [
        f"First {plain(reason)}: {plain(failure)}"
        for reason, failure in sorted(audited(view.report).failures.items())
    ]
    return paragraph([heading, *lines[:MOST], *_rest(lines), *first]) if lines else []


def _footer(view: VerdictTable, width: int) -> list[RenderableType]:
    absent = sorted(audited(view.report).not_applicable.items())
    lines = [f"Not put into {plain(world)}: {plain(reason)}." for world, reason in absent]
    lines += ["Limits:", *(f"- {plain(limit)}" for limit in view.report.limits or SCORE_LIMITS)]
    return paragraph(lines)
