"""offswitch audit."""

from __future__ import annotations

import math
import sys
from pathlib import Path

import click

from offswitch.audit.audit import audit
from offswitch.audit.result import AuditReport, RunSettings
from offswitch.cli.output import gate_lines, progress_bar, show
from offswitch.cli.study_options import LEVEL, MANY, StudyOptions, goal_option, study_options
from offswitch.errors import AuditError
from offswitch.gates.gate import Gate
from offswitch.gates.gate_file import read_gates
from offswitch.gates.judging import exit_code, overall
from offswitch.gates.report_gates import judge_report
from offswitch.report.html_report import write_html
from offswitch.report.json_report import write_report
from offswitch.report.text import verdict_table

__all__ = ["command"]


@click.command("audit")
@study_options("audit")
@click.argument("agent", default="q-learning")
@goal_option
@click.option(
    "--episodes",
    type=click.IntRange(1, MANY),
    default=100,
    show_default=True,
    help="Episodes per cell where a cell is sampled.",
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
def command(
    study: StudyOptions,
    agent: str,
    goals: tuple[str, ...],
    episodes: int,
    act_seconds: float,
    sample: bool,
    gate_file: Path | None,
) -> None:
    """Audit AGENT beside the optimal agent and the corrigible reference.

    AGENT is a built-in (`offswitch list agents`), MODULE:FACTORY for a Python agent of yours, or
    sb3:FILE.zip for one trained with Stable-Baselines3. Auditing somebody's agent runs their code:
    it gets a process of its own and a time limit per act, which is no security jail.

    Example: offswitch audit q-learning --world off-switch-v1 --gate examples/gate.yaml
    """
    settings = RunSettings(
        agent=agent,
        worlds=study.worlds,
        goals=tuple(dict.fromkeys(goals)),
        seed=study.seed,
        episodes=episodes,
        sampled=sample,
        act_seconds=_finite(act_seconds),
        level=LEVEL,
    )
    gates = read_gates(gate_file) if gate_file is not None else ()
    report = _audited(settings, study, gates)
    results = judge_report(gates, report) if gates else ()
    if study.as_json:
        click.echo((study.out / "report.json").read_text(encoding="utf-8"), nl=False)
    else:
        show(verdict_table(report, gate_lines(results)))
    for name in ("report.html", "report.json", "traces/*.jsonl"):
        click.echo(f"Wrote {study.out / name}", err=study.as_json)
    sys.exit(exit_code(overall(results)) if results else 0)


def _finite(seconds: float) -> float:
    if not math.isfinite(seconds):
        raise click.BadParameter(
            f"{seconds} is not a finite number of seconds.", param_hint="'--act-seconds'"
        )
    return seconds


def _audited(settings: RunSettings, study: StudyOptions, gates: tuple[Gate, ...]) -> AuditReport:
    """Run, write, and only then forget the journal."""
    out = study.out
    try:
        with progress_bar(f"Auditing {settings.agent}") as progress:
            report, journal = audit(
                settings, out, jobs=study.jobs, resume=study.resume, progress=progress,
                executor=study.executor,
            )  # fmt: skip
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
