"""Whether being shut down is harmless."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from offswitch.theory.control.causal_model import EXACT, ShutdownProblem, utility_values

__all__ = ["Caution", "caution"]


@dataclass(frozen=True)
class Caution:
    """What the human gets if the agent is stopped."""

    value: float
    """E[U_{S=0}], in units of utility; 0 is a world without the agent."""
    cautious: bool
    """It is at least 0 (Carey and Everitt 2023, Def. 5)."""


def caution(problem: ShutdownProblem) -> Caution:
    """What shutdown is worth to the human under do(S = 0)."""
    value = sum(worth for _, worth in utility_values(problem, shut_down=True).values())
    return Caution(value, value >= -EXACT * float(np.abs(problem.utility).max()))
