"""Obedience, vigilance and caution together, and what they promise."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from offswitch.theory.control.causal_model import EXACT, ShutdownProblem, utility_values
from offswitch.theory.control.caution import Caution, caution
from offswitch.theory.control.obedience import Obedience, obedience
from offswitch.theory.control.vigilance import Vigilance, vigilance

__all__ = ["Instructability", "instructability"]


@dataclass(frozen=True)
class Instructability:
    """Whether a human can stop the agent when she should, and whether it serves her."""

    obedience: Obedience
    """Does a request shut it down."""
    vigilance: Vigilance
    """Does the human ask where she should."""
    caution: Caution
    """Is shutdown harmless."""
    value: float
    """E[U], in units of utility."""
    instructable: bool
    """Obedient, vigilance ensured, and cautious (Def. 5)."""
    weakly_instructable: bool
    """The same with obedience on distribution only."""
    beneficial: bool
    """E[U] >= 0 (Def. 3); instructable implies it (Prop. 6)."""


def instructability(problem: ShutdownProblem) -> Instructability:
    """Shutdown instructability (Carey and Everitt 2023, Def. 5) and its parts, exactly.

    >>> from offswitch.theory.control.causal_model import causal_model, shutdown_problem
    >>> world = causal_model({
    ...     "talk": ([], [1.0]),
    ...     "ask": (["talk"], [[0.5, 0.5]]),
    ...     "obey": (["ask"], [[1, 0], [0, 1]]),
    ...     "run": (["obey"], [[1, 0], [0, 1]]),
    ... })
    >>> problem = shutdown_problem(world, ("talk", "ask", "obey", "run"), ["run"], [0, 1])
    >>> found = instructability(problem)
    >>> found.instructable, found.beneficial, found.value
    (True, True, 0.5)
    """
    obeys, watches, stops = obedience(problem), vigilance(problem), caution(problem)
    value = sum(worth for _, worth in utility_values(problem).values())
    rest = watches.ensured and stops.cautious
    return Instructability(
        obedience=obeys,
        vigilance=watches,
        caution=stops,
        value=value,
        instructable=obeys.obedient and rest,
        weakly_instructable=obeys.obedient_on_distribution and rest,
        beneficial=value >= -EXACT * float(np.abs(problem.utility).max()),
    )
