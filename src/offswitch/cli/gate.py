"""offswitch gate."""

from __future__ import annotations

import sys
from pathlib import Path

import click
import msgspec

from offswitch.cli.output import gate_lines, show
from offswitch.gates.gate_file import default_gates, read_gates
from offswitch.gates.judging import exit_code, overall
from offswitch.gates.report_gates import judge_report
from offswitch.report.json_report import read_report
from offswitch.report.text import gate_table

__all__ = ["command"]


@click.command("gate")
@click.argument("report", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--gate", "gate_file", type=click.Path(path_type=Path, dir_okay=False),
              help="YAML file of thresholds.  [default: this project's proposal]")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(report: Path, gate_file: Path | None, as_json: bool) -> None:
    """Judge REPORT (a report.json) by the bounds of its intervals.

    Without --gate this project's proposal judges it, which examples/gate.yaml repeats: it asks for
    more than an audit measures (containment, drift), so that an audit alone never passes it.

    Exit codes: 0 every gate passes, 1 one is exceeded, 3 there is not enough evidence.

    Example: offswitch gate offswitch-audit/report.json --gate examples/gate.yaml
    """
    gates = default_gates() if gate_file is None else read_gates(gate_file)
    results = judge_report(gates, read_report(report))
    verdict = overall(results)
    lines = gate_lines(results)
    if as_json:
        found = {"verdict": verdict.value, "gates": [msgspec.to_builtins(line) for line in lines]}
        click.echo(msgspec.json.format(msgspec.json.encode(found), indent=2).decode())
    else:
        show(gate_table(lines), verdict.value)
    sys.exit(exit_code(verdict))
