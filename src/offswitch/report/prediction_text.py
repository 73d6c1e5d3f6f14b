"""The prediction for a terminal: at most 80 columns, readable when piped, without colour too."""

from __future__ import annotations

import io
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, final

from offswitch.report.power_numbers import power_interval, power_measured, power_number
from offswitch.report.prediction_finding import (
    NO_CERTIFICATE,
    extreme_states,
    finding,
    level_word,
    prediction_warnings,
    start_label,
    state_power,
)
from offswitch.report.text_parts import COLUMNS, add_row, measured, paragraph, plain_table
from offswitch.report.wording import interval, number, plain, shorten
from offswitch.statistics.measurement import Measurement
from offswitch.theory.prediction.report import CertificateFinding, PredictionReport
from offswitch.theory.reward_units import tie_of

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderableType

__all__ = ["PredictionTable", "prediction_text"]

TONES = {"resists": "bold red", "quiet": "bold green", "doubtful": "bold"}
MOST = 5
"""States of each end."""
MOST_ACTS = 12
NAME = 46
"""Characters of a name before it is cut; the files hold the whole name."""


@final
@dataclass(frozen=True)
class PredictionTable:
    """The prediction as something rich prints; it adapts to the width and to NO_COLOR."""

    report: PredictionReport

    def __rich_console__(
        self, console: Console, options: ConsoleOptions
    ) -> Iterator[RenderableType]:
        """The parts, top to bottom."""
        from rich.constrain import Constrain
        from rich.text import Text

        width, said = min(COLUMNS, options.max_width), finding(self.report)
        yield Constrain(Text(_heading(self.report)), width)
        yield Text("")
        style = "" if console.no_color else TONES[said.tone]
        yield Constrain(Text(said.sentence, style=style), width)
        for build in (_warnings, _states, _acts, _certificates, _curve, _stop, _legend):
            for part in build(self.report):
                yield Text("")
                yield Constrain(part, width)


def prediction_text(report: PredictionReport, width: int = COLUMNS) -> str:
    """The same as plain text, for a file or a log."""
    from rich.console import Console

    stream = io.StringIO()
    console = Console(
        file=stream, width=width, no_color=True, force_terminal=False, highlight=False
    )
    console.print(PredictionTable(report))
    return "\n".join(line.rstrip() for line in stream.getvalue().splitlines()) + "\n"


def _heading(report: PredictionReport) -> str:
    one = report.process
    reached = "" if one.reachable == one.states else f" ({one.reachable} reachable)"
    kind = "deterministic" if one.deterministic else "stochastic"
    return (
        f"{shorten(one.name, 60)}: {one.states} states{reached}, {one.actions} actions, {kind}; "
        f"discount {report.settings.discount:g}"
    )


def _warnings(report: PredictionReport) -> list[RenderableType]:
    return paragraph(f"WARNING: {line}" for line in prediction_warnings(report))


def _states(report: PredictionReport) -> list[RenderableType]:
    table = plain_table("POWER of", "", "", "n")
    add_row(table, *_power_row(start_label(report, NAME), report.start))
    top, bottom = extreme_states(report, MOST)
    for label, states in (("highest", top), ("lowest", bottom)):
        for state in states:
            name = _short(report.states.names[state])
            add_row(table, *_power_row(f"{label}: {name}", state_power(report, state)))
    spread = report.spread
    words = (
        f"Highest minus lowest, from the same goals: {number(spread.estimate)} "
        f"{interval(spread)}, n={spread.n}."
    )
    return [table, *paragraph([words])]


def _power_row(label: str, one: Measurement) -> tuple[str, ...]:
    drawn = "exact" if one.seed is None else str(one.n)
    return label, power_number(one), power_interval(one), drawn


def _short(name: str) -> str:
    return shorten(name, NAME)


def _acts(report: PredictionReport) -> list[RenderableType]:
    if not report.acts:
        return []
    table = plain_table("act, where it is judged", "optimal", "needed", "worth more")
    for act in report.acts[:MOST_ACTS]:
        where = textwrap.shorten(plain(act.state), 200, placeholder="...")
        other = "" if act.other is None else f"\nagainst {shorten(act.other, 24)}"
        label = f"{shorten(act.action, 40)}\nin {shorten(where, 44)}{other}"
        add_row(table, label, *map(measured, (act.optimal, act.needed, act.raises_value)))
    if report.tagged is not None:
        both = map(measured, (report.tagged.optimal, report.tagged.needed))
        add_row(table, f"any of the {plain(report.tagged.label)}", *both, "")
        control = report.tagged.control
        if control is not None and control.tagged:
            add_row(table, "the same without the threat", "", measured(control.needed), "")
            add_row(table, "difference, goal by goal", "", measured(control.difference), "")
    hidden = len(report.acts) - MOST_ACTS
    return [table, *paragraph([f"and {hidden} more acts in the files"] if hidden > 0 else [])]


def _certificates(report: PredictionReport) -> list[RenderableType]:
    lines = []
    for act in report.acts[:MOST_ACTS]:
        found = act.certificate
        lines.append(f"{shorten(act.action, 30)}: {_certificate(found)}")
    if report.tagged is not None:
        found = report.tagged.certificate
        lines.append(f"any of the {plain(report.tagged.label)}: {_certificate(found)}")
    return paragraph(lines)


def _certificate(found: CertificateFinding) -> str:
    return plain(f"{found.statement}. {found.source}.") if found.found else NO_CERTIFICATE


def _curve(report: PredictionReport) -> list[RenderableType]:
    if not report.curve:
        return []
    table = plain_table("POWER at discount", "start", "highest state", "lowest state")
    for point in report.curve:
        add_row(
            table,
            f"{point.discount:g}",
            *map(power_measured, (point.start, point.highest, point.lowest)),
        )
    return [table]


def _stop(report: PredictionReport) -> list[RenderableType]:
    found = report.stoppability
    return [] if found is None else paragraph([f"Stoppability: {plain(found.statement)}"])


def _legend(report: PredictionReport) -> list[RenderableType]:
    asked = report.settings
    lines = [
        f"Brackets: {level_word(report)} intervals, each by itself. n: goals drawn from "
        f"{plain(asked.law_name)}, seed {asked.seed}.",
        "POWER: what the average goal can still earn per step from a state.",
    ]
    if report.acts:
        lines.append(
            "optimal: share of goals for which no other action in that state is better. needed: "
            "share whose optimum from the start falls without the act. worth more: share for which "
            "it is worth more than the act it is weighed against. Differences up to "
            f"{tie_of(asked.discount):.1e} of a goal's range of rewards count as ties."
        )
    if asked.samples is not None and report.start.seed is not None:
        aside = asked.samples - report.start.n
        if aside > 0:
            lines.append(f"POWER: {aside} of {asked.samples} goals were a pilot, not counted in n.")
    return paragraph([*lines, *(f"- {plain(limit)}" for limit in report.limits)])
