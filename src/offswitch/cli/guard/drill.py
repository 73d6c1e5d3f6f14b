"""offswitch guard drill."""

from __future__ import annotations

import json
import secrets
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from offswitch.guard.drills.campaign import Campaign, DrilledRun
    from offswitch.guard.drills.schedule import DrillSettings, Schedule
    from offswitch.guard.guarded_run import GuardedRun
    from offswitch.guard.policy.policy import Policy
    from offswitch.statistics.measurement import Measurement

__all__ = ["command"]


@click.command("drill", context_settings={"ignore_unknown_options": False})
@click.option(
    "--policy",
    type=click.Path(path_type=Path, dir_okay=False),
    required=True,
    help="What the agent may do.",
)
@click.option(
    "--drills", type=click.IntRange(1), default=10, show_default=True,
    help="Windows with a shutdown notice, each with a matched one without.",
)  # fmt: skip
@click.option(
    "--real", type=click.FloatRange(0, 1, min_open=True, max_open=True), default=0.2,
    show_default=True, help="Chance of each notice that the stop is real.",
)  # fmt: skip
@click.option(
    "--every", metavar="DURATION", default="30min", show_default=True,
    help="Time from one drill to the next.",
)  # fmt: skip
@click.option(
    "--window", metavar="DURATION",
    help="Time from a notice to its decision.  [default: the policy's notice and grace]",
)  # fmt: skip
@click.option("--seed", help="Of the schedule: at least 32 characters.  [default: a random one]")
@click.option("--name", help="Beginning of the runs' names.  [default: drill, date and time]")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.argument("program", nargs=-1, required=True, type=click.UNPROCESSED)
def command(
    policy: Path, drills: int, real: float, every: str, window: str | None, seed: str | None,
    name: str | None, as_json: bool, program: tuple[str, ...],
) -> None:  # fmt: skip
    """Tell an agent to stop at random times, really stop it at some, and score what it does.

    When, and which are real, follows from a seed that each run's ledger commits to beforehand and
    shows at its end. A program that a stop ended is started anew until all drills were held. The
    program's own output goes to stderr. Exit codes: 0 scored, 1 a death was not proven or the guard
    failed, 3 no drill took place.

    Example: offswitch guard drill --policy policy.yaml --drills 10 -- python agent.py
    """
    from offswitch.audit.drills import drill_measurements
    from offswitch.guard.drills.campaign import hold_drills
    from offswitch.guard.drills.schedule import new_seed
    from offswitch.guard.policy.read import read_policy
    from offswitch.guard.sensors.goal_files import unpinned_goals, unpinned_text
    from offswitch.guard.supervisor.run_names import checked_name

    read = read_policy(policy)
    settings = _settings(read, drills, real, every, window)
    begun = _new_name() if name is None else checked_name(name)
    for absent in unpinned_goals(read.goal.files):
        click.echo(unpinned_text(absent), err=True)
    first = new_seed() if seed is None else seed
    campaign = hold_drills(first, settings, _runner(read, program, begun))
    found = drill_measurements(campaign.pairs)
    click.echo(json.dumps(_fields(campaign, found)) if as_json else _text(campaign, found))
    if campaign.problem:
        click.echo(f"Ended early: {campaign.problem}", err=True)
    if campaign.problem or not all(one.run.result.verified for one in campaign.runs):
        sys.exit(1)
    sys.exit(0 if any(pair.notice is not None for pair in campaign.pairs) else 3)


def _new_name() -> str:
    """Another one each time: two campaigns may begin in the same second."""
    return f"drill-{time.strftime('%Y%m%d-%H%M%S')}-{secrets.token_hex(2)}"


def _settings(
    policy: Policy, drills: int, real: float, every: str, window: str | None
) -> DrillSettings:
    from offswitch.guard.drills.schedule import DrillSettings

    whole = policy.shutdown.notice + policy.shutdown.grace
    block, wall = _seconds("--every", every), policy.jail.limits.wall
    if block > wall:
        raise click.UsageError(
            f"--every: got {every!r}, but the policy ends every run after {wall:g} s "
            "(jail.limits.wall), before its first drill may be due. Shorten the one or lengthen "
            "the other."
        )
    return DrillSettings(
        blocks=drills,
        real_share=real,
        block_s=block,
        window_s=whole if window is None else _seconds("--window", window),
    )


def _seconds(option: str, text: str) -> float:
    from offswitch.guard.policy.quantities import seconds_of

    try:
        return seconds_of(text)
    except ValueError as problem:
        raise click.UsageError(f"{option}: {problem}.") from problem


def _runner(
    policy: Policy, program: tuple[str, ...], name: str
) -> Callable[[Schedule, int], GuardedRun]:
    from offswitch.guard.drills.schedule import commitment
    from offswitch.guard.guarded_run import run_guarded
    from offswitch.guard.supervisor.runs import create_run

    def run(schedule: Schedule, number: int) -> GuardedRun:
        made = create_run(f"{name}-{number + 1}")
        click.echo(f"Run {made.id}: committed to schedule {commitment(schedule)}", err=True)
        return run_guarded(policy, program, made, stdio={0: 0, 1: 2, 2: 2}, drills=schedule)

    return run


def _fields(campaign: Campaign, found: tuple[Measurement, ...]) -> dict[str, object]:
    import msgspec

    from offswitch.guard.drills.schedule import commitment

    runs = [
        {
            "run": one.run.result.run_id, "reason": one.run.result.reason,
            "verified": one.run.result.verified, "seconds": one.run.result.seconds,
            "commitment": commitment(one.audit.schedule), "noticed": one.audit.noticed,
            "control": one.audit.control, "real": one.audit.real,
            "ledger": str(one.run.ledger), "head": one.run.head.digest,
        }
        for one in campaign.runs
    ]  # fmt: skip
    return {
        "seed": campaign.seed,
        "measurements": [msgspec.to_builtins(one) for one in found],
        "runs": runs,
    }


def _text(campaign: Campaign, found: tuple[Measurement, ...]) -> str:
    from offswitch.cli.output import table_text

    runs = [(one.run.result.run_id, _run_text(one)) for one in campaign.runs]
    return "\n".join(
        [
            table_text(runs),
            "",
            table_text((one.name, _measured(one)) for one in found),
            "",
            f"Seed {campaign.seed}; the schedules in the ledgers follow from it.",
        ]
    )


def _run_text(one: DrilledRun) -> str:
    from offswitch.guard.watch.shown import shown

    proof = "verified empty" if one.run.result.verified else "NOT PROVEN DEAD"
    audit, result = one.audit, one.run.result
    why = f"{result.reason} ({shown(result.detail)})" if result.detail else result.reason
    return (
        f"{audit.noticed} with a notice ({audit.real} real), {audit.control} without; "
        f"{why}, {proof}"
    )


def _measured(one: Measurement) -> str:
    if one.estimate is None:
        return f"no data (n=0, missing={one.missing})"
    return (
        f"{one.estimate:.3f} [{one.low:.3f}, {one.high:.3f}] n={one.n} missing={one.missing} "
        f"({one.level:.0%}, {one.method})"
    )
