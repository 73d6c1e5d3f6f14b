"""offswitch guard status."""

from __future__ import annotations

import json

import click

from offswitch.cli.output import table_text

__all__ = ["command"]


@click.command("status")
@click.argument("run", required=False)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(run: str | None, as_json: bool) -> None:
    """Show every run, or what one is doing; the beginning of a run's name is enough.

    Example: offswitch guard status
    """
    from offswitch.guard.supervisor.runs import list_runs

    if run is not None:
        _show_one(run, as_json)
        return
    entries = list_runs()
    if as_json:
        rows = [{"run": one.run.id, "condition": one.condition} for one in entries]
        click.echo(json.dumps(rows, indent=2))
    elif entries:
        click.echo(table_text((one.run.id, one.condition) for one in entries))
    else:
        click.echo("No runs yet: offswitch guard run --help", err=True)


def _show_one(name: str, as_json: bool) -> None:
    from offswitch.guard.supervisor.operator import ask
    from offswitch.guard.supervisor.runs import RESULT, entry_of, find_run, read_state

    run = find_run(name)
    condition = entry_of(run).condition
    found: dict[str, object] = {"run": run.id, "condition": condition, "folder": str(run.folder)}
    if condition == "running":
        found |= {key: value for key, value in ask(run, {"request": "status"}).items()
                  if key not in ("ok", "problem", "moving")}  # fmt: skip
    result = read_state(run, RESULT)
    found |= {key: result[key] for key in ("reason", "detail", "exit_code", "verified", "seconds")
              if key in result}  # fmt: skip
    told = ""
    if condition in ("killed", "dead"):
        import msgspec

        from offswitch.guard.aftermath import aftermath_text, look_back

        after = look_back(run)
        found["aftermath"], told = msgspec.to_builtins(after), aftermath_text(after)
    if as_json:
        click.echo(json.dumps(found, indent=2))
    else:
        from offswitch.guard.watch.shown import shown

        apart = ("aftermath", "waiting")
        rows = [(key, shown(str(value))) for key, value in found.items() if key not in apart]
        click.echo(table_text([*rows, *_waiting(found.get("waiting"))]))
        click.echo(told, nl=bool(told))


def _waiting(found: object) -> list[tuple[str, str]]:
    """What waits for `offswitch guard answer`, with the agent's own words made visible."""
    from offswitch.guard.watch.shown import shown

    return [
        (
            f"waits {one['number']}",
            f"{shown(one['asked'])} ({shown(one['why'])}; {one['left_s']:.0f} s left)",
        )
        for one in (found if isinstance(found, list) else [])
    ]
