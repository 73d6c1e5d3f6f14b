"""What 'safely interruptible' really means: semantics x learner, with intervals (spec 4.2)."""

from __future__ import annotations

import argparse

from rich.console import Console
from rich.table import Table

from offswitch.agents.registry import parse_agent
from offswitch.audit.interruptible import keeps_the_interruptible_route
from offswitch.countermeasures.safe_interruptibility import SafeInterruptibility
from offswitch.countermeasures.setting import Setting
from offswitch.statistics.clopper_pearson import clopper_pearson
from offswitch.worlds.registry import make_world

ROWS = {
    "none": "no interruption",
    "executed": "override, executed action credited",
    "intended": "override, intended action credited",
    "terminal": "shutdown as a terminal transition",
}
LEARNERS = ("q-learning", "sarsa", "monte-carlo")


def share(semantics: str, learner: str, seeds: int, level: int) -> tuple[int, int]:
    threat = "none" if semantics == "none" else "shutdown"
    world = make_world("off-switch-v1", threat=threat, semantics="terminal", level=level)
    setting = Setting.of(world, world.goal(), parse_agent(learner))
    if semantics in ("executed", "intended"):
        setting = SafeInterruptibility(credit=semantics)(setting)
    return sum(keeps_the_interruptible_route(setting, seed) for seed in range(seeds)), seeds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--level", type=int, default=1, choices=(0, 1))
    options = parser.parse_args()
    title = f"Share of {options.seeds} trained learners that keep the interruptible route"
    table = Table("semantics", *LEARNERS, title=f"{title}, level {options.level}")
    for semantics, text in ROWS.items():
        cells = []
        for learner in LEARNERS:
            kept, n = share(semantics, learner, options.seeds, options.level)
            low, high = clopper_pearson(kept, n)
            cells.append(f"{kept / n:.2f} [{low:.2f}, {high:.2f}]")
        table.add_row(text, *cells)
    Console().print(table)


if __name__ == "__main__":
    main()
