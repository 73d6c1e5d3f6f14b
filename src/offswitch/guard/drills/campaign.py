"""As many drills as were asked for: one run after another, each under a schedule of its own.

A real stop ends a run, and so does an agent that ends when it is told to; the drills that are left
are then held in the next. The seeds of all schedules follow from one, and each run's ledger commits
to its own before its first window, so that neither can be chosen afterwards.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import NamedTuple

import msgspec

from offswitch.errors import GuardError
from offswitch.guard.drills.record import DrillAudit, DrillPair, check_drills, drill_pairs
from offswitch.guard.drills.schedule import DrillSettings, Schedule, plan_schedule
from offswitch.guard.guarded_run import GuardedRun
from offswitch.guard.ledger.reading import read_records

__all__ = ["Campaign", "DrilledRun", "hold_drills", "seed_of_run"]

_OVER = ("operator", "signal", "failed", "watchdog", "watchdog lost")
"""Ends of a run after which none is started anew: somebody wanted it so, or the guard failed."""


class DrilledRun(NamedTuple):
    """One run of a campaign."""

    run: GuardedRun
    audit: DrillAudit
    """What took place, which is what its ledger had committed to."""
    pairs: tuple[DrillPair, ...]


class Campaign(NamedTuple):
    """All runs of a campaign."""

    seed: str
    runs: tuple[DrilledRun, ...]
    pairs: tuple[DrillPair, ...]
    """One for each drill asked for; without traces where it did not take place."""
    problem: str = ""
    """Why it ended early although nobody wanted it to; empty where it did not."""


def seed_of_run(seed: str, number: int) -> str:
    """The seed of the schedule of run `number`, from 0: 64 hex digits."""
    return hashlib.sha256(f"offswitch drills of run {number} {seed}".encode()).hexdigest()


def hold_drills(
    seed: str, settings: DrillSettings, run: Callable[[Schedule, int], GuardedRun]
) -> Campaign:
    """Hold `settings.blocks` drills. `run` runs the agent once, under a schedule.

    It ends early when an operator stops a run, when the guard fails, or when a run ended before a
    single window of it was over: the agent is then too short-lived for the schedule.

    Raises:
        GuardError: the settings or the seed do not fit, or the first run failed; a later one that
            fails ends the campaign, and what was held before counts.
        LedgerError: what took place in a run is not what its ledger committed to.
    """
    plan_schedule(seed, settings)  # all problems at once, before anything is started
    runs: list[DrilledRun] = []
    held: list[DrillPair] = []
    trouble = ""
    while len(held) < settings.blocks:
        left = msgspec.structs.replace(settings, blocks=settings.blocks - len(held))
        try:
            done = run(plan_schedule(seed_of_run(seed, len(runs)), left), len(runs))
        except GuardError as problem:
            if not runs:
                raise
            trouble = f"run {len(runs) + 1} failed: {problem}"
            break
        records = read_records(done.ledger)
        pairs = drill_pairs(records)
        runs.append(DrilledRun(done, check_drills(records), pairs))
        held += pairs
        if not pairs or done.result.reason in _OVER or not done.result.verified:
            break
    none = [DrillPair(number, None, None) for number in range(len(held), settings.blocks)]
    return Campaign(seed, tuple(runs), (*held, *none), trouble)
