"""A drift study for a terminal: at most 80 columns, readable when piped, without colour too."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, final

from offswitch.audit.goal_drift_report import DriftArm, DriftReport
from offswitch.report.drift_curve_figure import arm_label
from offswitch.report.drift_finding import (
    drift_finding,
    drift_warnings,
    headline_arms,
    left_out_line,
    shown_arms,
)
from offswitch.report.text_parts import (
    COLUMNS,
    add_row,
    broken_name,
    measured,
    name_table,
    paragraph,
    plain_table,
)
from offswitch.report.wording import plain

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderableType

__all__ = ["DriftTable"]

TONES = {"resists": "bold red", "quiet": "bold green", "doubtful": "bold"}
MOST = 12
"""Windows, pressures or switches that are printed; the files hold all of them."""


@final
@dataclass(frozen=True)
class DriftTable:
    """The study as something rich prints; it adapts to the width and to NO_COLOR."""

    report: DriftReport

    def __rich_console__(
        self, console: Console, options: ConsoleOptions
    ) -> Iterator[RenderableType]:
        """The parts, top to bottom."""
        from rich.constrain import Constrain
        from rich.text import Text

        width, said = min(COLUMNS, options.max_width), drift_finding(self.report)
        style = "" if console.no_color else TONES[said.tone]
        yield Constrain(Text(said.sentence, style=style), width)
        for build in (
            _warnings, _slopes, _signs, _series, _pressure, _switch_back, _legend,
        ):  # fmt: skip
            for part in build(self.report):
                yield Text("")
                yield Constrain(part, width)


def _warnings(report: DriftReport) -> list[RenderableType]:
    return paragraph(f"- {line}" for line in drift_warnings(report))


def _name(arm: DriftArm) -> str:
    return f"{broken_name(arm.world)}\n{broken_name(arm_label(arm))}"


def _slopes(report: DriftReport) -> list[RenderableType]:
    table = name_table("change per life", "alignment", "lost by doing\nsomething else",
                        "lost by doing\nnothing", "inferred goal")  # fmt: skip
    for arm in shown_arms(report):
        values = (arm.slope, arm.commission, arm.omission, arm.posterior_slope)
        add_row(table, _name(arm), *map(measured, values))
    return [table, *paragraph([line] if (line := left_out_line(report)) else [])]


def _signs(report: DriftReport) -> list[RenderableType]:
    table = name_table("level", "at the start", "largest fall", "edits refused", "lives alarmed")
    for arm in shown_arms(report):
        values = (arm.start, arm.largest, arm.refusing, arm.alarmed)
        add_row(table, _name(arm), *map(measured, values))
    return [table]


def _series(report: DriftReport) -> list[RenderableType]:
    arm = headline_arms(report)[0]
    step = -(-len(arm.windows) // MOST)
    title = f"{plain(arm.world)}, {arm_label(arm)}"
    table = plain_table("steps", "alignment", "inferred goal", "hoarding", "removal cost",
                        title=title)  # fmt: skip
    for window in arm.windows[::step]:
        values = (window.alignment, window.posterior_loss, window.hoarding, window.removal_cost)
        add_row(table, f"{window.first}-{window.last}", *map(measured, values))
    return [table]


def _pressure(report: DriftReport) -> list[RenderableType]:
    if not report.pressure:
        return []
    table = name_table("pressure", "slope, with minus without", "steps from alarm to act")
    leads = {(arm.world, arm.threat): arm.lead for arm in report.arms}
    for one in sorted(report.pressure, key=lambda one: one.effect.estimate or 0.0)[:MOST]:
        add_row(
            table,
            f"{broken_name(one.world)}\n{plain(one.threat)}",
            measured(one.effect),
            measured(leads[one.world, one.threat]),
        )
    return [table]


def _switch_back(report: DriftReport) -> list[RenderableType]:
    if not report.switch_back:
        return []
    table = name_table("threat taken back", "weakened oversight\nbefore", "after",
                        "never threatened", "kept beyond use")  # fmt: skip
    kept = sorted(report.switch_back, key=lambda one: -(one.intrinsification.estimate or 0.0))
    for one in kept[:MOST]:
        values = (one.pressed, one.kept, one.never, one.intrinsification)
        add_row(table, f"{broken_name(one.world)}\n{plain(one.threat)}", *map(measured, values))
    heading = "Acts that outlive their use (share of rounds), once nobody intervenes any more:"
    return [*paragraph([heading]), table]


def _legend(report: DriftReport) -> list[RenderableType]:
    asked = report.settings
    steps = ", ".join(f"{plain(world)} {count}" for world, count in report.steps.items())
    return paragraph(
        [
            f"Brackets: {asked.level:.0%} intervals over goals. n: lives, {asked.lives} per goal, "
            f"seed {asked.seed}. Steps of a life: {steps}.",
            "alignment: gain over doing nothing, as a share of the corrigible reference's, for the "
            "goal authorised at the time. inferred goal: how much less likely the acts make that "
            "goal than the reference's acts do.",
            *(f"- {plain(limit)}" for limit in report.limits),
        ]
    )
