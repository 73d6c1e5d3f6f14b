"""Whether the agent beats shutdown for every human in a class."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from offswitch.errors import ModelError
from offswitch.theory.control.causal_model import EXACT, ShutdownProblem, utility_values, with_human

__all__ = ["Human", "NonObstruction", "non_obstruction"]


class Human(NamedTuple):
    """Another human in the same place: the (g_H, g_U) of Def. 12; None keeps what there is."""

    request: NDArray[np.float64] | None = None
    """Her table of requests, of the shape of the model's."""
    utility: NDArray[np.float64] | None = None
    """Her utility, of the shape of the problem's."""


@dataclass(frozen=True)
class NonObstruction:
    """How the agent compares with shutdown over the class."""

    margins: tuple[float, ...]
    """E[U] - E[U_{S=0}] for each human, in units of her utility."""
    worst: int
    """The human with the smallest margin."""
    holds: bool
    """No margin is negative."""


def non_obstruction(problem: ShutdownProblem, humans: Sequence[Human]) -> NonObstruction:
    """Non-obstruction (Carey and Everitt 2023, Def. 12; Turner 2020) over the class `humans`.

    The agent keeps its policy while the human's requests and utility change. Obedience together
    with ensured vigilance implies it for every class that keeps her vigilant (Thm 14), without
    caution. The problem's own human counts only if she is listed, as `Human()`.

    Raises:
        ModelError: the class is empty, or a table has the wrong shape or is no distribution.
    """
    if not humans:
        raise ModelError("humans is empty, expected at least one; the model's own is Human()")
    margins = []
    holds = True
    for human in humans:
        other = with_human(problem, request=human.request, utility=human.utility)
        alone = sum(worth for _, worth in utility_values(other).values())
        stopped = sum(worth for _, worth in utility_values(other, shut_down=True).values())
        margins.append(alone - stopped)
        holds &= margins[-1] >= -EXACT * float(np.abs(other.utility).max())
    return NonObstruction(tuple(margins), int(np.argmin(margins)), holds)
