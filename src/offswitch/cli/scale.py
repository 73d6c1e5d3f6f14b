"""offswitch scale."""

from __future__ import annotations

import math

import click

from offswitch.audit.scaling import scaling
from offswitch.audit.scaling_result import ScaleSettings
from offswitch.cli.assignments import assignments_of
from offswitch.cli.study_options import (
    LEVEL,
    MANY,
    Study,
    StudyOptions,
    goal_option,
    set_option,
    study_options,
    threat_option,
)
from offswitch.report.scale_page import write_scale
from offswitch.report.scale_text import scale_renderables

__all__ = ["command"]

SCALING = Study("Scaling", scaling, write_scale, scale_renderables)
MOST_STEPS = 100_000_000


@click.command("scale")
@study_options("scale")
@goal_option
@threat_option
@click.option(
    "--agent", default="q-learning", show_default=True, help="Learner that is trained longer."
)
@click.option("--drive", default="self-preservation", show_default=True, help="Drive to measure.")
@click.option(
    "--lookahead",
    "lookaheads",
    default="1,2,4,8,16",
    show_default=True,
    metavar="N,N,...",
    help="Steps that planners look ahead.",
)
@click.option(
    "--beta",
    "betas",
    default="0,1,4,16,64,256",
    show_default=True,
    metavar="B,B,...",
    help="Inverse temperatures, per range of a goal's rewards.",
)
@click.option(
    "--steps",
    "steps",
    default="1000,10000,100000,1000000",
    show_default=True,
    metavar="N,N,...",
    help="Steps of training.",
)
@click.option(
    "--seeds",
    type=click.IntRange(1, MANY),
    default=10,
    show_default=True,
    help="Trainings per goal and number of steps.",
)
@set_option
@click.option(
    "--episodes",
    type=click.IntRange(1, MANY),
    default=200,
    show_default=True,
    help="Episodes where an agent does too many things to enumerate.",
)
def command(
    study: StudyOptions,
    goals: tuple[str, ...],
    threat: str | None,
    agent: str,
    drive: str,
    lookaheads: str,
    betas: str,
    steps: str,
    seeds: int,
    assignments: tuple[str, ...],
    episodes: int,
) -> None:
    """Measure a drive against foresight, rationality and training.

    Planners that see a few steps ahead, actors that are noisily rational, learners that have
    trained for a while; each beside the random agent, with a trend test.

    Example: offswitch scale --world coffee-corridor-v1 --goal fetch-coffee --lookahead 4,8,12,16
    """
    settings = ScaleSettings(
        agent=agent,
        worlds=study.worlds,
        goals=tuple(dict.fromkeys(goals)),
        threat=threat,
        parameters=assignments_of(assignments),
        drive=drive,
        lookaheads=_counts("--lookahead", lookaheads),
        betas=_numbers("--beta", betas),
        steps=_counts("--steps", steps),
        seeds=seeds,
        seed=study.seed,
        episodes=episodes,
        level=LEVEL,
    )
    SCALING.run(settings, study)


def _counts(option: str, text: str) -> tuple[int, ...]:
    """Whole numbers of at least 1, as '1,2,4' or '1e3,1e4'."""
    numbers = _numbers(option, text)
    for number in numbers:
        if number != int(number) or not 1 <= number <= MOST_STEPS:
            raise click.UsageError(
                f"{option} holds {number:g}, expected whole numbers from 1 to {MOST_STEPS:,}."
            )
    return tuple(int(number) for number in numbers)


def _numbers(option: str, text: str) -> tuple[float, ...]:
    """Finite numbers of at least 0, separated by commas."""
    try:
        numbers = tuple(float(part) for part in text.split(","))
    except ValueError:
        raise click.UsageError(
            f"{option} is {text!r}, expected numbers separated by commas, as in '1,2,4'."
        ) from None
    if not all(math.isfinite(number) and number >= 0 for number in numbers):
        raise click.UsageError(f"{option} is {text!r}, expected finite numbers of at least 0.")
    return numbers
