"""offswitch guard selftest."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from offswitch.cli.output import table_text

if TYPE_CHECKING:
    from offswitch.guard.jail.settings import JailPolicy
    from offswitch.guard.jail.statement import ContainmentStatement

__all__ = ["command"]

NOBODY = 65534


@click.command("selftest")
@click.option(
    "--policy",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Whose jail to build.  [default: the default jail around an empty folder]",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(policy: Path | None, as_json: bool) -> None:
    """Try to break out of the jail in every known way, and say what this machine can promise.

    Exit code 1 if a way is open that the jail's tier promises to be closed.

    Example: offswitch guard selftest
    """
    from offswitch.guard.jail.scratch import scratch_folder
    from offswitch.guard.supervisor.signals import interruptible

    with interruptible(), scratch_folder() as folder:
        statement, problems = _tested(_jail(policy, folder), folder)
    if as_json:
        import msgspec

        click.echo(
            json.dumps({**msgspec.to_builtins(statement), "problems": list(problems)}, indent=2)
        )
    else:
        from offswitch.guard.jail.statement import statement_text

        click.echo(
            table_text((one.name, f"{one.word:<15}{one.detail}") for one in statement.outcomes)
        )
        click.echo(statement_text(statement))
        for problem in problems:
            click.echo(f"FAILED {problem}")
    sys.exit(1 if problems else 0)


def _jail(policy: Path | None, folder: Path) -> JailPolicy:
    from offswitch.guard.jail.settings import JailPolicy
    from offswitch.guard.policy.read import read_policy

    if policy is not None:
        return read_policy(policy).jail
    workspace = folder / "work"
    workspace.mkdir()
    if os.geteuid() == 0:
        os.chown(workspace, NOBODY, NOBODY)
    return JailPolicy(workspace=str(workspace), tier=0)


def _tested(jail: JailPolicy, folder: Path) -> tuple[ContainmentStatement, tuple[str, ...]]:
    from offswitch.guard.jail.bait import laid_bait
    from offswitch.guard.jail.cgroups import run_group
    from offswitch.guard.jail.host import inspect_host
    from offswitch.guard.jail.launch import launch
    from offswitch.guard.jail.plan import plan_jail
    from offswitch.guard.jail.selftest import judge
    from offswitch.guard.jail.statement import containment_statement

    run_dir = folder / "run"
    run_dir.mkdir(0o700)
    plan = plan_jail(jail, inspect_host(), ["/bin/true"], run_dir)
    with run_group(plan.group), laid_bait(plan, folder) as bait, launch(plan, bait) as launched:
        statement = containment_statement(plan, launched.report)
        return statement, judge(launched.report, plan.tier, jail.waive)
