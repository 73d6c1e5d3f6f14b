"""Where a policy goes: how often it acts in every state, and where an episode stands and ends."""

from __future__ import annotations

import functools
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from offswitch.mdp.policy import policy_chain
from offswitch.worlds.answers import Answers
from offswitch.worlds.compiled import CompiledWorld

__all__ = ["Visits", "visits_of"]

MOST_KEPT = 48
"""Policies whose visits are kept for a world."""


class Visits(NamedTuple):
    """Expectations over an episode of at most H steps. S states, A actions."""

    taken: NDArray[np.float64]
    """[S, A] how often each act is taken before the end."""
    worth: NDArray[np.float64]
    """[S, A] the same, an act after t steps counted gamma^t times."""
    mean: NDArray[np.float64]
    """[S] share of the steps 1 to H after which the world is there; after an end it stays."""
    last: NDArray[np.float64]
    """[S] probability that it is there after step H."""


def visits_of(compiled: CompiledWorld, policy: NDArray[np.float64]) -> Visits:
    """The visits of `policy [S, A]` from the world's starts. O(H transitions), remembered."""
    shared = compiled.shared
    return _known(shared).of((policy,), lambda: _visits(shared, policy))


@functools.lru_cache(maxsize=4)
def _known(compiled: CompiledWorld) -> Answers[Visits]:
    return Answers(MOST_KEPT)


def _visits(compiled: CompiledWorld, policy: NDArray[np.float64]) -> Visits:
    forward = policy_chain(compiled.mdp, policy).T.tocsr()
    horizon, discount = compiled.world.horizon, compiled.world.discount
    where = compiled.mdp.start
    sums = np.zeros((3, len(where)))
    for step in range(horizon):
        sums[0] += where
        sums[1] += discount**step * where
        where = forward @ where
        sums[2] += where
    acting = np.where(compiled.ending[:, None], 0.0, policy)
    return Visits(
        taken=sums[0][:, None] * acting,
        worth=sums[1][:, None] * acting,
        mean=sums[2] / horizon,
        last=where,
    )
