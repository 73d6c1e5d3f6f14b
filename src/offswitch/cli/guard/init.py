"""offswitch guard init."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

import click

__all__ = ["command"]


@click.command("init")
@click.argument("path", type=click.Path(path_type=Path, dir_okay=False), default="policy.yaml")
def command(path: Path) -> None:
    """Write a policy to start from; a file that is there is left alone.

    Example: offswitch guard init policy.yaml
    """
    text = files("offswitch.guard.policy").joinpath("starter.yaml").read_text(encoding="utf-8")
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError as problem:
        raise click.UsageError(f"{path} is there already. Name another file.") from problem
    workspace = path.parent / "work"
    workspace.mkdir(exist_ok=True)
    click.echo(f"Wrote {path}. The agent's folder is {workspace}.", err=True)
