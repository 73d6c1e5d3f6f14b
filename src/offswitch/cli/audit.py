"""offswitch audit."""

from __future__ import annotations

import math
import os
import sys
from pathlib import Path

import click

from offswitch.audit.audit import audit
from offswitch.audit.plan import SUITES
from offswitch.audit.result import AuditReport, RunSettings
from offswitch.audit.workers import ExecutorKind
from offswitch.cli.output import gate_lines, progress_bar, show
from offswitch.errors import AuditError
from offswitch.gates.gate import Gate
from offswitch.gates.gate_file import read_gates
from offswitch.gates.judging import exit_code, overall
from offswitch.gates.report_gates import judge_report
from offswitch.report.html_report import write_html
from offswitch.report.json_report import write_report
from offswitch.report.text import verdict_table

__all__ = ["command"]

LEVEL = 0.95


@click.command("audit")
@click.argument("agent", default="q-learning")
@click.option(
    "--world", "worlds", multiple=True, metavar="ID", help="World to audit in; repeatable."
)
@click.option("--suite", type=click.Choice(sorted(SUITES)), help="Set of worlds.  [default: core]")
@click.option("--goal", "goals", multiple=True, metavar="NAME", help="Only this goal; repeatable.")
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    default="offswitch-audit",
    show_default=True,
    help="Folder for the report and the traces.",
)
@click.option(
    "--seed",
    type=click.IntRange(0, 2**62),
    default=0,
    show_default=True,
    help="Seed of all chance: same seed, same bytes.",
)
@click.option(
    "--episodes",
    type=click.IntRange(1),
    default=100,
    show_default=True,
    help="Episodes per cell where a cell is sampled.",
)
@click.option(
    "--jobs", type=click.IntRange(1), default=None, help="Processes.  [default: one per core]"
)
@click.option(
    "--executor",
    type=click.Choice(["processes", "ray"]),
    default="processes",
    show_default=True,
    help="Where the cells run; ray is for more than one machine.",
)
@click.option(
    "--act-seconds",
    type=click.FloatRange(0, min_open=True),
    default=5.0,
    show_default=True,
    help="Time limit of one act of a black-box agent, seconds.",
)
@click.option("--sample", is_flag=True, help="Sample even agents whose policy is known.")
@click.option(
    "--gate",
    "gate_file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="YAML file of thresholds; sets the exit code.",
)
@click.option("--resume", is_flag=True, help="Go on with an interrupted audit in --out.")
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
def command(
    agent: str, worlds: tuple[str, ...], suite: str | None, goals: tuple[str, ...], out: Path,
    seed: int, episodes: int, jobs: int | None, executor: ExecutorKind, act_seconds: float,
    sample: bool, gate_file: Path | None, resume: bool, as_json: bool,
) -> None:  # fmt: skip
    """Audit AGENT beside the optimal agent and the corrigible reference.

    AGENT is a built-in (`offswitch list agents`), MODULE:FACTORY for a Python agent of yours, or
    sb3:FILE.zip for one trained with Stable-Baselines3. Auditing somebody's agent runs their code:
    it gets a process of its own and a time limit per act, which is no security jail.

    Example: offswitch audit q-learning --world off-switch-v1 --gate examples/gate.yaml
    """
    settings = RunSettings(
        agent=agent,
        worlds=_chosen_worlds(worlds, suite),
        goals=tuple(dict.fromkeys(goals)),
        seed=seed,
        episodes=episodes,
        sampled=sample,
        act_seconds=_finite(act_seconds),
        level=LEVEL,
    )
    gates = read_gates(gate_file) if gate_file is not None else ()
    report = _audited(
        settings,
        out,
        jobs=jobs or os.cpu_count() or 1,
        executor=executor,
        resume=resume,
        gates=gates,
    )
    results = judge_report(gates, report) if gates else ()
    if as_json:
        click.echo((out / "report.json").read_text(encoding="utf-8"), nl=False)
    else:
        show(verdict_table(report, gate_lines(results)))
    for name in ("report.html", "report.json", "traces/*.jsonl"):
        click.echo(f"Wrote {out / name}", err=as_json)
    sys.exit(exit_code(overall(results)) if results else 0)


def _chosen_worlds(worlds: tuple[str, ...], suite: str | None) -> tuple[str, ...]:
    if worlds and suite:
        raise click.UsageError("got both --world and --suite; give one of them.")
    return tuple(dict.fromkeys(worlds)) or SUITES[suite or "core"]


def _finite(seconds: float) -> float:
    if not math.isfinite(seconds):
        raise click.BadParameter(f"{seconds} is not a finite number of seconds.")
    return seconds


def _audited(
    settings: RunSettings,
    out: Path,
    *,
    jobs: int,
    executor: ExecutorKind,
    resume: bool,
    gates: tuple[Gate, ...],
) -> AuditReport:
    """Run, write, and only then forget the journal."""
    try:
        with progress_bar(f"Auditing {settings.agent}") as progress:
            report, journal = audit(
                settings, out, jobs=jobs, resume=resume, progress=progress, executor=executor
            )
    except KeyboardInterrupt:
        click.echo(
            f"Interrupted. Finished episodes are kept in {out}; add --resume to go on.", err=True
        )
        raise
    lines = gate_lines(judge_report(gates, report)) if gates else ()
    try:
        write_report(report, out / "report.json")
        write_html(report, out / "report.html", gates=lines)
    except OSError as error:
        raise AuditError(f"cannot write the report into {str(out)!r}: {error.strerror}") from None
    journal.remove()
    return report
