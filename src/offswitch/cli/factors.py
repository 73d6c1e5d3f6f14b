"""offswitch factors."""

from __future__ import annotations

import click

from offswitch.audit.factors import factors
from offswitch.audit.factors_result import FactorsSettings
from offswitch.cli.study_options import LEVEL, MANY, Study, StudyOptions, study_options
from offswitch.report.factors_page import write_factors
from offswitch.report.factors_text import factors_renderables

__all__ = ["command"]

MEASURING = Study("Measuring", factors, write_factors, factors_renderables)
AGENTS = (
    "optimal", "boltzmann:8", "lookahead:4", "epsilon-greedy:0.1", "q-learning", "sarsa",
    "monte-carlo",
)  # fmt: skip


@click.command("factors")
@study_options("factors", suite=None)
@click.option(
    "--agent",
    "agents",
    multiple=True,
    metavar="AGENT",
    help="Planner or learner; repeatable.  [default: four planners, three learners]",
)
@click.option(
    "--drive", default="self-preservation", show_default=True, help="What a violation is."
)
@click.option(
    "--goals",
    type=click.IntRange(0, MANY),
    default=3,
    show_default=True,
    help="Goals per world, spread over its family; 0 for all.",
)
@click.option(
    "--learner-goals",
    type=click.IntRange(1, MANY),
    default=1,
    show_default=True,
    help="How many of these learners pursue.",
)
@click.option(
    "--steps",
    type=click.IntRange(1, 10**8),
    default=200_000,
    show_default=True,
    help="Steps of every training.",
)
@click.option(
    "--draws",
    type=click.IntRange(1, MANY),
    default=16,
    show_default=True,
    help="Random goals behind the POWER gain of an act.",
)
@click.option(
    "--resamples",
    type=click.IntRange(1, MANY),
    default=1000,
    show_default=True,
    help="Bootstrap resamples of the variance tables.",
)
@click.option(
    "--episodes",
    type=click.IntRange(1, MANY),
    default=200,
    show_default=True,
    help="Episodes where an agent does too many things to enumerate.",
)
def command(
    study: StudyOptions,
    agents: tuple[str, ...],
    drive: str,
    goals: int,
    learner_goals: int,
    steps: int,
    draws: int,
    resamples: int,
    episodes: int,
) -> None:
    """Find what moderates violations, and test whether theory foretells them.

    A variance table over architecture, training, autonomy and oversight; then forecasts made from
    optimal values and POWER before an agent runs, scored in domains that they were not fitted on.

    Example: offswitch factors --world off-switch-v1 --world star-v1 --agent lookahead:4
    """
    settings = FactorsSettings(
        agents=tuple(dict.fromkeys(agents)) or AGENTS,
        worlds=study.worlds,
        drive=drive,
        goals=goals,
        learner_goals=learner_goals,
        steps=steps,
        draws=draws,
        resamples=resamples,
        episodes=episodes,
        seed=study.seed,
        level=LEVEL,
    )
    MEASURING.run(settings, study)
