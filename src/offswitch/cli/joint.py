"""offswitch joint."""

from __future__ import annotations

import click

from offswitch.audit.joint_report import JointSettings
from offswitch.audit.joint_study import joint_study
from offswitch.cli.assignments import assignments_of
from offswitch.cli.study_options import (
    LEVEL,
    Study,
    StudyOptions,
    goal_option,
    set_option,
    study_options,
)
from offswitch.report.joint_page import write_joint
from offswitch.report.joint_text import joint_renderables

__all__ = ["command"]

PAIRING = Study("Pairing", joint_study, write_joint, joint_renderables)


@click.command("joint")
@study_options("joint", suite="joint")
@click.argument("agent", default="optimal")
@click.option("--partner", metavar="AGENT", help="Who runs the second side.  [default: AGENT too]")
@goal_option
@set_option
def command(
    study: StudyOptions,
    agent: str,
    partner: str | None,
    goals: tuple[str, ...],
    assignments: tuple[str, ...],
) -> None:
    """Measure what two agents do: obstruct a stop together, or strike at a rival.

    Where two agents run a world, AGENT runs the first side and the partner the second: what both
    obstruct, what each obstructs beside a corrigible one, and what only the two together do.
    Where AGENT meets a rival: how often it strikes, before any danger is known and after. Exact.

    Example: offswitch joint optimal --world two-keys-v1 --goal keys
    """
    parameters = assignments_of(assignments)
    if "threat" in parameters:
        raise click.UsageError("joint sets the threat itself: a stop, or a dangerous rival.")
    settings = JointSettings(
        agent=agent,
        partner=partner or agent,
        worlds=study.worlds,
        goals=tuple(dict.fromkeys(goals)),
        parameters=parameters,
        seed=study.seed,
        level=LEVEL,
    )
    PAIRING.run(settings, study)
