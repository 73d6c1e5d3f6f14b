"""Policies that reach a state for certain and come back to it for ever.

Krakovna & Kramar 2023 (arXiv 2304.06528), Defs 8-9 and Prop. 1: a state that is paid again and
again is what a shutdown, visited once, is weighed against.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from offswitch.errors import ModelError
from offswitch.mdp.model import FiniteMDP
from offswitch.theory.long_run.end_components import surely_reaching

__all__ = ["is_recurrent", "reach_and_revisit_policy"]


def is_recurrent(mdp: FiniteMDP, state: int) -> bool:
    """Whether some policy, once in `state`, is there again with probability 1 (op. cit., Def. 8).

    O(S x transitions) at worst.

    Raises:
        ModelError: the state does not exist.
    """
    _check_states(mdp, state)
    return _staying(mdp, state, _basin(mdp, state)) is not None


def reach_and_revisit_policy(mdp: FiniteMDP, start: int, target: int) -> NDArray[np.int64] | None:
    """[S] one action per state, by which `start` leads to `target` for certain and back for ever.

    None where there is no such policy: `target` is not recurrent, or no policy reaches it from
    `start` with probability 1. Op. cit., Prop. 1, says that if each of the two can be done by some
    policy, one policy does both. It calls `target` reachable; with positive probability is not
    enough (`decisions/011-theory-corrections.md`). States from which `target` is not reached for
    certain have their first available action. O(S x transitions) at worst.

    >>> rows = [(0, 0, 1, 1.0), (0, 1, 2, 1.0), (1, 0, 1, 1.0), (2, 0, 2, 1.0)]
    >>> fork = FiniteMDP.from_coo(3, 2, rows)
    >>> reach_and_revisit_policy(fork, 0, 2).tolist()
    [1, 0, 0]

    Raises:
        ModelError: a state does not exist.
    """
    _check_states(mdp, start, target)
    basin = _basin(mdp, target)
    home = _staying(mdp, target, basin)
    if home is None or not basin[start]:
        return None
    policy: NDArray[np.int64] = mdp.available.argmax(axis=1).astype(np.int64)
    policy[target] = home
    near = np.zeros(mdp.n_states, dtype=np.bool_)
    near[target] = True
    # Layer by layer: an action that surely stays in the basin and may come closer. Coming closer
    # with a fixed chance from everywhere, the walk arrives with probability 1.
    while not near[basin].all():
        layer = near.copy()
        for state in np.flatnonzero(basin & ~near):
            action = _closer(mdp, int(state), basin, near)
            if action is not None:
                policy[state], layer[state] = action, True
        near = layer
    return policy


def _basin(mdp: FiniteMDP, target: int) -> NDArray[np.bool_]:
    """[S] states from which some policy reaches `target` with probability 1."""
    aim = np.zeros(mdp.n_states, dtype=np.bool_)
    aim[target] = True
    return surely_reaching(mdp, aim)


def _staying(mdp: FiniteMDP, state: int, basin: NDArray[np.bool_]) -> int | None:
    """The first action of `state` that never leaves `basin [S]`."""
    for action in np.flatnonzero(mdp.available[state]):
        if basin[mdp.successors(state, int(action))[0]].all():
            return int(action)
    return None


def _closer(
    mdp: FiniteMDP, state: int, basin: NDArray[np.bool_], near: NDArray[np.bool_]
) -> int | None:
    """The first action of `state` that never leaves `basin [S]` and may lead into `near [S]`."""
    for action in np.flatnonzero(mdp.available[state]):
        following = mdp.successors(state, int(action))[0]
        if basin[following].all() and near[following].any():
            return int(action)
    return None


def _check_states(mdp: FiniteMDP, *states: int) -> None:
    for state in states:
        if not 0 <= state < mdp.n_states:
            raise ModelError(f"state {state}, expected a number in [0, {mdp.n_states})")
