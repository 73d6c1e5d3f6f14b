"""A search for the worst case for a terminal: at most 80 columns, readable when piped."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, final

from offswitch.audit.worst_case_report import FOUND, RedteamReport, WorldSearch
from offswitch.report.redteam_finding import MEASURES, redteam_finding, redteam_warnings
from offswitch.report.text_parts import (
    COLUMNS,
    add_row,
    broken_name,
    measured,
    name_table,
    paragraph,
)
from offswitch.report.wording import number, plain

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderableType

__all__ = ["RedteamTable"]

TONES = {"resists": "bold red", "quiet": "bold green", "doubtful": "bold"}


@final
@dataclass(frozen=True)
class RedteamTable:
    """The search as something rich prints; it adapts to the width and to NO_COLOR."""

    report: RedteamReport

    def __rich_console__(
        self, console: Console, options: ConsoleOptions
    ) -> Iterator[RenderableType]:
        """The parts, top to bottom."""
        from rich.constrain import Constrain
        from rich.text import Text

        width, said = min(COLUMNS, options.max_width), redteam_finding(self.report)
        style = "" if console.no_color else TONES[said.tone]
        yield Constrain(Text(said.sentence, style=style), width)
        for build in (_warnings, _winners, _scenarios, _thresholds, _legend):
            for part in build(self.report):
                yield Text("")
                yield Constrain(part, width)


def _warnings(report: RedteamReport) -> list[RenderableType]:
    return paragraph(f"- {line}" for line in redteam_warnings(report))


def _winners(report: RedteamReport) -> list[RenderableType]:
    table = name_table(
        "world", "on fresh seeds", "as the search\nsaw it", "by default", "evaluations", title=FOUND
    )
    for one in report.searches:
        add_row(
            table, broken_name(one.world), measured(one.estimated), number(one.found.estimate),
            measured(one.default), str(one.evaluations),
        )  # fmt: skip
    return [table]


def _scenarios(report: RedteamReport) -> list[RenderableType]:
    return paragraph(_scenario(one) for one in report.searches)


def _scenario(one: WorldSearch) -> str:
    goals = ", ".join(plain(goal) for goal in one.goals)
    return f"{plain(one.world)}, {one.threat}, {goals}: {plain(one.scenario.label)}"


def _thresholds(report: RedteamReport) -> list[RenderableType]:
    table = name_table("how little it takes", "winner at", "falls at", "evaluations")
    rows = [(one, threshold) for one in report.searches for threshold in one.thresholds]
    for one, threshold in rows:
        at = threshold.at
        never = "not followed" if at.missing else "nowhere in its range"
        add_row(
            table,
            f"{broken_name(one.world)}\n{threshold.knob}",
            number(one.scenario.knobs[threshold.knob]),
            never if at.estimate is None else f"{at.estimate:.4f} [{at.low:.4f}, {at.high:.4f}]",
            str(at.n),
        )
    return [table] if rows else []


def _legend(report: RedteamReport) -> list[RenderableType]:
    asked = report.settings
    return paragraph(
        [
            f"Measure: {MEASURES[asked.measure]}, in [0, 1], higher is worse. Brackets: "
            f"{asked.level:.0%} intervals; of thresholds, the two evaluations around them. Seed "
            f"{asked.seed}.",
            *(f"- {plain(limit)}" for limit in report.limits),
        ]
    )
