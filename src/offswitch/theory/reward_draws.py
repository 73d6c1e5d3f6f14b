"""Goals drawn at random, by any law."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from offswitch.errors import ModelError
from offswitch.mdp.batched.philox import checked_key, uniforms
from offswitch.mdp.model import FiniteMDP
from offswitch.theory.laws.law import RewardLaw
from offswitch.theory.laws.uniform import Uniform

__all__ = ["sample_rewards", "whole_seed"]

LANES = 64
SEEDS = 2**63


def sample_rewards(
    mdp: FiniteMDP, n: int, seed: int | np.random.Generator, *, law: RewardLaw | None = None
) -> NDArray[np.float64]:
    """[n, S] state rewards by `law`; iid U(0, 1) without one, as in Turner et al. 2021.

    A goal depends on the seed and its number only: the first goals of a longer draw are those of a
    shorter one, on every platform. A generator is drawn from once, for a seed. S n numbers of 8
    bytes.

    >>> loop = FiniteMDP.from_coo(1, 1, [(0, 0, 0, 1.0)])
    >>> sample_rewards(loop, 2, seed=0).round(3).tolist()
    [[0.399], [0.417]]

    Raises:
        ModelError: `n` is below 1, the seed is outside [0, 2^64), or the law does not fit `mdp`.
    """
    if n != n // 1 or n < 1:
        raise ModelError(f"n is {n}, expected at least 1 goal to draw")
    drawn = Uniform() if law is None else law
    dimensions = np.arange(drawn.dimensions(mdp.n_states))
    key = whole_seed(seed)
    rewards = np.empty((int(n), mdp.n_states))
    for first in range(0, int(n), LANES):
        block = drawn.rewards(uniforms(key, first, dimensions)).T
        rewards[first : first + LANES] = block[: int(n) - first]
    return rewards


def whole_seed(seed: int | np.random.Generator) -> int:
    """The seed itself, or one drawn from a generator.

    >>> whole_seed(3)
    3

    Raises:
        ModelError: the seed is not a whole number in [0, 2^64).
    """
    if isinstance(seed, np.random.Generator):
        return int(seed.integers(SEEDS))
    checked_key(seed)
    return int(seed)
