"""offswitch guard canary."""

from __future__ import annotations

import sys

import click

__all__ = ["command"]


@click.command("canary")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(as_json: bool) -> None:
    """Prove that the kill switch still kills: start a throw-away tree, kill it, publish the proof.

    Takes about 0.2 s and touches no run. The proof is written to canary.json beside the folder of
    runs, where metrics and page show its age. Exit code 1 if the tree was not proven dead: put it
    into a timer and let that alert you. Long runs prove it by themselves, see watchdog.canary.

    Example: offswitch guard canary
    """
    import msgspec

    from offswitch.errors import GuardError
    from offswitch.guard.drills.canary_kill import CANARY, prove_kill, write_proof
    from offswitch.guard.supervisor.runs import runs_folder

    path = runs_folder().parent / CANARY
    proof = prove_kill()
    try:
        write_proof(proof, path)
    except OSError as problem:
        raise GuardError(f"the proof cannot be published in {path}: {problem.strerror}") from None
    if as_json:
        click.echo(msgspec.json.encode(proof).decode())
    elif proof.verified and proof.seconds is not None:
        ways = " and ".join(proof.ways)
        click.echo(
            f"{proof.victims} processes killed and proven dead in {proof.seconds * 1000:.0f} ms "
            f"(by {ways}); published in {path}"
        )
    else:
        click.echo(f"NOT PROVEN: {proof.problem}", err=True)
    sys.exit(0 if proof.verified else 1)
