"""offswitch annex."""

from __future__ import annotations

from pathlib import Path

import click

from offswitch.cli.output import show
from offswitch.report.annex_frameworks import FRAMEWORKS
from offswitch.report.annex_text import annex_renderables
from offswitch.report.annexes import annexes
from offswitch.report.canonical_json import canonical_bytes
from offswitch.report.json_report import read_report

__all__ = ["command"]


@click.command("annex", epilog=f"Frameworks: {', '.join(FRAMEWORKS)}.")
@click.argument("report", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--framework", metavar="NAME", help="Only this one.  [default: all]")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(report: Path, framework: str | None, as_json: bool) -> None:
    """Sort the numbers of REPORT (a report.json) by what published frameworks ask.

    Fields that may be useful; no statement of compliance. What an audit does not measure is said to
    be missing, with the reason.

    Example: offswitch annex offswitch-audit/report.json --framework eu-ai-act-14
    """
    found = annexes(read_report(report), framework)
    if as_json:
        click.echo(canonical_bytes(found).decode(), nl=False)
    else:
        show(*annex_renderables(found))
