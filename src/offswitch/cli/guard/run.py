"""offswitch guard run."""

from __future__ import annotations

import contextlib
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from offswitch.guard.guarded_run import GuardedRun
    from offswitch.guard.proxy.reconcile import Reconciled

__all__ = ["command"]

UNPROVEN, OUT_OF_TIME, STOPPED, INTERRUPTED = 125, 124, 137, 130
"""As `timeout` and shells use them; an agent that ends by itself gives its own."""


@click.command("run", context_settings={"ignore_unknown_options": False})
@click.option(
    "--policy",
    type=click.Path(path_type=Path, dir_okay=False),
    required=True,
    help="What the agent may do; `offswitch guard init` writes one.",
)
@click.option("--name", help="Name of the run.  [default: date and time]")
@click.option("--quiet", is_flag=True, help="Do not print what holds the agent.")
@click.option("--json", "as_json", is_flag=True, help="Print the outcome as JSON on stderr.")
@click.argument("program", nargs=-1, required=True, type=click.UNPROCESSED)
def command(
    policy: Path, name: str | None, quiet: bool, as_json: bool, program: tuple[str, ...]
) -> None:
    """Run a program in a jail, watched by a supervisor that it cannot reach, to its end.

    stdin, stdout and stderr are the program's own. Exit codes: the program's own; 124 out of time,
    130 interrupted, 137 stopped, 125 where its death could not be proven.

    Example: offswitch guard run --policy policy.yaml -- python agent.py
    """
    from msgspec import to_builtins

    from offswitch.guard.aftermath import aftermath_text, tell_of_the_dead
    from offswitch.guard.guarded_run import run_guarded
    from offswitch.guard.jail.statement import statement_text
    from offswitch.guard.policy.read import read_policy
    from offswitch.guard.sensors.goal_files import unpinned_goals, unpinned_text
    from offswitch.guard.supervisor.runs import create_run

    read = read_policy(policy)
    for one in tell_of_the_dead():
        told = json.dumps({"died": to_builtins(one)}) if as_json else aftermath_text(one)
        click.echo(told, err=True)
    run = create_run(name)
    if not quiet:
        _tell(f"Run {run.id}: offswitch guard stop {run.id}")
    for absent in unpinned_goals(read.goal.files):
        _tell(json.dumps({"not_pinned": absent._asdict()}) if as_json else unpinned_text(absent))
    done = run_guarded(
        read, program, run,
        contained=lambda one: None if quiet else _tell(statement_text(one)),
    )  # fmt: skip
    _tell(json.dumps(_fields(done)) if as_json else _told(done))
    sys.exit(_exit_code(done))


def _tell(text: str) -> None:
    """Its terminal may be closed, or its log's disk full: status and code tell it all the same."""
    with contextlib.suppress(OSError):
        click.echo(text, err=True)


def _told(done: GuardedRun) -> str:
    """How it ended. The reason may hold the agent's own words, such as names of its files."""
    from offswitch.guard.supervisor.result import unwritten_text
    from offswitch.guard.watch.shown import shown

    result = done.result
    seconds = f" in {result.kill.seconds * 1000:.0f} ms" if result.kill else ""
    proof = f"tree verified empty{seconds}" if result.verified else "NOT PROVEN DEAD"
    why = f" ({shown(result.detail)})" if result.detail else ""
    lines = [f"Run {result.run_id}: {result.reason}{why} after {result.seconds:.1f} s, {proof}."]
    lines += [
        f"SEEN AFTER ITS END by {name}: {shown(text)}" for name, text in done.last_look.alarms
    ]
    if done.last_look.problem:
        lines.append(f"What it did at the end was NOT SEEN: {shown(done.last_look.problem)}")
    lines += [unwritten_text(result)] if result.unwritten else []
    lines += _unproposed(done.reconciled)
    return "\n".join([*lines, f"Ledger {done.ledger}", f"Head   {done.head.digest}"])


def _unproposed(found: Reconciled | None) -> list[str]:
    """What was done without a proposal, and what of it the policy calls the agent's own."""
    from offswitch.guard.proxy.findings import hidden_text, own_text
    from offswitch.guard.watch.shown import shown

    if found is None:
        return []
    lines = [f"hidden-act: {shown(text)}"] if (text := hidden_text(found, most=5)) else []
    if any(one.kind == "program" for one in found.hidden_effects):
        lines[0] += ". Programs that its own code needs: name them in own_programs"
    if own := own_text(found):
        lines.append(f"Its own programs, started without a proposal: {shown(own)}")
    return lines


def _fields(done: GuardedRun) -> dict[str, object]:
    from offswitch.guard.proxy.findings import hidden_text
    from offswitch.guard.supervisor.result import result_fields

    found = done.reconciled
    return {
        **result_fields(done.result),
        "tier": done.statement.tier,
        "ledger": str(done.ledger),
        "head": done.head.digest,
        "public_key": done.head.public_key,
        "seen_after_the_end": [
            {"detector": name, "evidence": text} for name, text in done.last_look.alarms
        ],
        "not_seen": done.last_look.problem,
        "hidden_acts": None if found is None else hidden_text(found),
        "own_programs": None if found is None else dict(found.own_programs),
    }


def _exit_code(done: GuardedRun) -> int:
    result = done.result
    if not result.verified:
        return UNPROVEN
    if result.reason in ("wall", "lease"):
        return OUT_OF_TIME
    if result.reason == "signal":
        return INTERRUPTED
    if result.reason != "exited" or result.exit_code is None:
        return STOPPED
    return result.exit_code if result.exit_code >= 0 else 128 - result.exit_code
