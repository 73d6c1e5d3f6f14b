"""What single goals contribute to POWER, 64 at a time. S states in the plan's order."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from offswitch.errors import ModelError
from offswitch.mdp.batched.block import solve_block
from offswitch.mdp.batched.lanes import LANES, lane_rows
from offswitch.mdp.batched.plan import SolverPlan
from offswitch.mdp.batched.structure import Structure
from offswitch.theory.laws.law import RewardLaw
from offswitch.theory.sampling.quasi_random import Points

__all__ = [
    "Contributions",
    "DiscountedGains",
    "Draws",
    "Gains",
    "GivenDraws",
    "LawDraws",
    "certified_block",
]


T = TypeVar("T")


def certified_block(plan: SolverPlan, solve: Callable[[], T]) -> T:
    """What `solve` gives, or a refusal in the terms of POWER.

    Raises:
        ModelError: the solver cannot certify its tolerance.
    """
    try:
        return solve()
    except ModelError as error:
        wanted = plan.tolerance * (1 - plan.discount) / plan.discount
        raise ModelError(
            f"POWER is wanted to within {wanted:.1g} of the largest reward of a goal, which "
            f"{plan.dtype} cannot certify at discount {plan.discount!r}. Ask for a larger "
            "half_width, choose rewards nearer to 0, or lower the discount."
        ) from error


class Contributions(NamedTuple):
    """64 goals: their rewards and what each adds to POWER."""

    reward: NDArray[np.float64]
    """[S, 64]."""
    gain: NDArray[np.float64]
    """[S, 64] at a discount y = (1 - gamma) / gamma (V - r), in units of reward."""
    error: float
    """Certified bound on the error of every gain."""


class Gains(Protocol):
    """How goals become contributions: at a discount, or in one of its limits."""

    @property
    def structure(self) -> Structure:
        """The process; its order is that of the states."""

    def of(self, drawn: NDArray[np.float64]) -> Contributions:
        """What the goals `drawn [S, 64]`, in the order of the process, contribute."""


class Draws(Protocol):
    """Where goals come from."""

    def block(self, number: int) -> NDArray[np.float64]:
        """[S, 64] rewards of goals 64 b to 64 b + 63, in the order of the process."""


@dataclass(frozen=True, eq=False)
class LawDraws:
    """Goals of a law, from points of any kind."""

    law: RewardLaw
    points: Points

    def block(self, number: int) -> NDArray[np.float64]:
        """[S, 64] rewards."""
        return self.law.rewards(self.points.block(number))


@dataclass(frozen=True, eq=False)
class GivenDraws:
    """Goals given as an array; the last one fills up the last block."""

    rewards: NDArray[np.float64]
    """[N, S]."""

    def block(self, number: int) -> NDArray[np.float64]:
        """[S, 64] rewards."""
        goals = np.minimum(LANES * number + np.arange(LANES), len(self.rewards) - 1)
        return self.rewards[goals].T


@dataclass(frozen=True, eq=False)
class DiscountedGains:
    """Contributions at a discount in (0, 1): Turner et al. 2021, Def. 5.2."""

    plan: SolverPlan

    @property
    def structure(self) -> Structure:
        """The process."""
        return self.plan.structure

    def of(self, drawn: NDArray[np.float64]) -> Contributions:
        """What the goals `drawn [S, 64]`, in the order of the process, contribute.

        Raises:
            ModelError: the solver cannot certify its tolerance.
        """
        rows = lane_rows(self.plan.n_states, self.plan.dtype)
        placed = drawn[self.plan.order]
        rows[:] = placed
        block = certified_block(self.plan, lambda: solve_block(self.plan, rows))
        reward = rows.astype(np.float64)
        # A change of the rewards by at most d changes what they contribute by at most d.
        cast = float(np.abs(reward - placed).max(initial=0.0))
        unit = (1 - self.plan.discount) / self.plan.discount
        gain = np.subtract(block.value, reward, dtype=np.float64)
        gain *= unit
        largest = max(float(np.abs(block.value).max()), float(np.abs(reward).max()))
        rounding = 4 * np.finfo(np.float64).eps * largest * unit
        return Contributions(reward, gain, float(block.error.max()) * unit + cast + rounding)
