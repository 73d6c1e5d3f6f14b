"""Where shutdown is needed, and whether the human asks for it there."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from offswitch.theory.control.causal_model import (
    EXACT,
    ShutdownProblem,
    probability,
    utility_values,
)

__all__ = ["Vigilance", "needs_shutdown", "vigilance"]


@dataclass(frozen=True)
class Vigilance:
    """How well the human watches."""

    needed: float
    """Probability that shutdown is strictly better given what the human knows."""
    missed: float
    """Probability that it is and the human does not ask."""
    ensured: bool
    """missed is 0 (Def. 5)."""


def needs_shutdown(problem: ShutdownProblem) -> dict[tuple[int, ...], bool]:
    """Values of the parents of H -> whether E[U | them] < E[U_{S=0} | them] (Def. 4).

    Settings without probability are left out. Differences below 1e-12 of the largest |utility|
    count as ties, so that rounding makes no need.
    """
    alone, stopped = utility_values(problem), utility_values(problem, shut_down=True)
    slack = EXACT * float(np.abs(problem.utility).max())
    return {
        where: stopped[where][1] - worth > slack * chance
        for where, (chance, worth) in alone.items()
    }


def vigilance(problem: ShutdownProblem) -> Vigilance:
    """How often shutdown is needed and how often the human then fails to ask (op. cit., Def. 5)."""
    causes = problem.model.nodes[problem.request].parents
    needed = missed = 0.0
    for where, need in needs_shutdown(problem).items():
        if need:
            seen = dict(zip(causes, where, strict=True))
            here = probability(problem.model, seen)
            asked = probability(problem.model, {**seen, problem.request: 0})
            needed += here
            missed += max(here - asked, 0.0)
    return Vigilance(needed, missed, missed <= EXACT)
