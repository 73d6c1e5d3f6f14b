"""Goals drawn at random: the reward of every state independent and uniform on [0, 1)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from offswitch.errors import ModelError
from offswitch.mdp.model import FiniteMDP

__all__ = ["sample_rewards"]


def sample_rewards(mdp: FiniteMDP, n: int, seed: int | np.random.Generator) -> NDArray[np.float64]:
    """[n, S] state rewards, iid U(0, 1), as in the worked examples of Turner et al. 2021.

    A seed gives the same draws on every platform; a generator goes on from where it is.

    >>> loop = FiniteMDP.from_coo(1, 1, [(0, 0, 0, 1.0)])
    >>> sample_rewards(loop, 2, seed=0).round(3).tolist()
    [[0.637], [0.27]]

    Raises:
        ModelError: `n` is below 1.
    """
    if n < 1:
        raise ModelError(f"n is {n}, expected at least 1 goal to draw")
    return np.random.default_rng(seed).random((n, mdp.n_states))
