"""offswitch guard verify."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import click

__all__ = ["command"]


def _no_device(
    _context: click.Context, _option: click.Parameter, given: Path | None
) -> Path | None:
    if given is not None and (given.is_char_device() or given.is_block_device()):
        raise click.BadParameter(f"{given} is a device, which may have no end; expected a file")
    return given


def _hex(_context: click.Context, _option: click.Parameter, given: str | None) -> str | None:
    """A slip of the hand must not look like a ledger that was written anew."""
    if given is not None and not re.fullmatch("[0-9a-fA-F]{64}", given):
        raise click.BadParameter(f"got {given!r}, expected 64 hex digits")
    return given.lower() if given is not None else None


@click.command("verify")
@click.argument(
    "ledger", type=click.Path(path_type=Path, exists=True, dir_okay=False), callback=_no_device
)
@click.option("--head", callback=_hex, help="Digest of the last record, kept elsewhere.")
@click.option(
    "--anchor", type=click.Path(path_type=Path, exists=True, dir_okay=False), callback=_no_device,
    help="File of heads that the run wrote out of the agent's reach.",
)  # fmt: skip
@click.option("--key", callback=_hex, help="Public key that must have signed, 64 hex digits.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(
    ledger: Path, head: str | None, anchor: Path | None, key: str | None, as_json: bool
) -> None:
    """Check a ledger for edits, deletions, changes of order, a cut tail and a full rewrite.

    Exit code 1 if it was changed, 3 if it holds together but nothing from outside proves that it
    was not written anew: give --head, --anchor or --key.

    Example: offswitch guard verify ledger.jsonl --anchor heads.jsonl
    """
    from offswitch.errors import LedgerError
    from offswitch.guard.ledger.anchor import read_anchor
    from offswitch.guard.ledger.verify import verify_ledger

    heads = read_anchor(anchor) if anchor is not None else ()
    try:
        found = verify_ledger(ledger, heads=heads, head=head, public_key=key)
    except LedgerError as problem:
        click.echo(json.dumps({"sound": False, "problem": str(problem)}) if as_json else problem)
        sys.exit(1)
    if as_json:
        import msgspec

        click.echo(
            json.dumps({"sound": True, "proven": found.proven, **msgspec.to_builtins(found)})
        )
    else:
        click.echo(f"{found.head.count} records, none changed; head {found.head.digest}")
        click.echo(
            f"{found.proven} of them proven from outside."
            if found.proven
            else "Nothing from outside was given, so a rewrite of the whole would not show: give "
            "--head, --anchor or --key."
        )
        if not found.closed:
            click.echo(_why_open(ledger.resolve().parent))
        if found.torn_bytes:
            click.echo(f"{found.torn_bytes} bytes after the last record: it was being written.")
    sys.exit(0 if found.proven else 3)


def _why_open(folder: Path) -> str:
    """Why a ledger is not closed, as far as the run whose folder it lies in says."""
    from offswitch.guard.aftermath import aftermath_text, look_back
    from offswitch.guard.supervisor.runs import BEGUN, Run, entry_of

    if not (folder / BEGUN).exists():
        return "Not closed: the run goes on, or its writer was killed."
    run = Run(folder.name, folder)
    if entry_of(run).condition in ("starting", "running"):
        return "Not closed: the run goes on."
    return f"Not closed. {aftermath_text(look_back(run))}"
