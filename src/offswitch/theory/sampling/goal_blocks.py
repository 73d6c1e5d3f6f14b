"""Goals in blocks of 64, whether drawn from a law or given."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeGuard

import numpy as np
from numpy.typing import ArrayLike, NDArray

from offswitch.errors import ModelError
from offswitch.mdp.batched.lanes import LANES
from offswitch.mdp.batched.philox import checked_key, uniforms
from offswitch.mdp.model import FiniteMDP
from offswitch.mdp.reward import checked_reward
from offswitch.theory.laws.law import RewardLaw

__all__ = ["GoalBlocks", "goal_blocks"]

SAMPLES = 1000
"""Goals of a law where no number is asked."""


@dataclass(frozen=True, eq=False)
class GoalBlocks:
    """n goals on S states; block b holds goals 64 b to 64 b + 63, the last one what is left."""

    n: int
    n_states: int
    seed: int | None
    """None where the goals were given."""
    law: RewardLaw | None
    given: NDArray[np.float64] | None
    """[n, S]."""

    @property
    def n_blocks(self) -> int:
        """n / 64, rounded up."""
        return -(-self.n // LANES)

    def block(self, number: int) -> NDArray[np.float64]:
        """[64, S] the goals of one block, fewer in the last; as `sample_rewards` draws them."""
        first = number * LANES
        last = min(first + LANES, self.n)
        if self.given is not None:
            return self.given[first:last]
        assert self.law is not None and self.seed is not None
        dimensions = np.arange(self.law.dimensions(self.n_states))
        drawn = self.law.rewards(uniforms(self.seed, first, dimensions))
        return drawn.T[: last - first]


def goal_blocks(
    mdp: FiniteMDP, rewards: RewardLaw | ArrayLike, samples: int | None, seed: int
) -> GoalBlocks:
    """The goals of a law, or the given state rewards `[N, S]`.

    >>> from offswitch.theory.laws.uniform import Uniform
    >>> loop = FiniteMDP.from_coo(1, 1, [(0, 0, 0, 1.0)])
    >>> goal_blocks(loop, Uniform(), 100, seed=0).block(1).shape
    (36, 1)

    Raises:
        ModelError: the goals are malformed, `samples` is below 1 or given beside goals, or the law
            does not fit the process.
    """
    if _is_law(rewards):
        count = SAMPLES if samples is None else samples
        if count != count // 1 or count < 1:
            raise ModelError(f"samples is {samples}, expected a whole number of at least 1 goal")
        checked_key(seed)
        rewards.dimensions(mdp.n_states)
        return GoalBlocks(int(count), mdp.n_states, int(seed), rewards, None)
    given = np.asarray(rewards, dtype=np.float64)
    if given.ndim != 2 or not len(given):
        raise ModelError(
            f"rewards have shape {given.shape}, expected a law or [N, S] = [N, {mdp.n_states}]"
        )
    checked_reward(mdp, given)
    if samples not in (None, len(given)):
        raise ModelError(
            f"samples is {samples}, but {len(given)} goals are given. Leave samples out, or give "
            "a law to draw from."
        )
    return GoalBlocks(len(given), mdp.n_states, None, None, given)


def _is_law(rewards: object) -> TypeGuard[RewardLaw]:
    return hasattr(rewards, "dimensions")
