"""Optimal average reward where chance decides: policy iteration for many recurrent classes.

Puterman 1994, Secs 9.2-9.3 (multichain). S states, C choices, 64 samples.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.sparse.csgraph import connected_components

from offswitch.errors import ModelError
from offswitch.mdp.batched.structure import Structure

__all__ = ["Chain", "average_gains", "choice_matrix", "limiting_chain"]

SLACK = 1e-10
"""Of the rewards' range: a gain below this is rounding."""
MOST_ROUNDS = 1000


class Chain(NamedTuple):
    """The long run of a policy."""

    limit: NDArray[np.float64]
    """[S, S] row s is the share of time spent in each state from s, in the long run."""
    bias: NDArray[np.float64]
    """[S, S] times a reward: its bias, 0 in the first state of every recurrent class."""


def choice_matrix(structure: Structure) -> NDArray[np.float64]:
    """[C, S] probability of every successor of every choice, dense, in the structure's order."""
    found = np.zeros((structure.n_choices, structure.n_states))
    lengths: NDArray[np.int64] = np.diff(structure.transition_start).astype(np.int64)
    found[np.repeat(np.arange(structure.n_choices), lengths), structure.next_state] = (
        structure.probability
    )
    found[np.arange(structure.n_choices), _owner(structure)] = structure.stay
    return found


def limiting_chain(chain: NDArray[np.float64]) -> Chain:
    """The long run of the transition matrix `chain [S, S]`. O(S^3).

    >>> limiting_chain(np.array([[0.0, 1.0], [0.0, 1.0]])).limit.tolist()
    [[0.0, 1.0], [0.0, 1.0]]
    """
    n_states = len(chain)
    count, label = connected_components(chain > 0, connection="strong")
    limit, bias = np.zeros_like(chain), np.zeros_like(chain)
    recurrent = np.zeros(n_states, dtype=np.bool_)
    for component in range(count):
        inside = np.flatnonzero(label == component)
        if chain[np.ix_(inside, np.flatnonzero(label != component))].any():
            continue
        recurrent[inside] = True
        block = np.ix_(inside, inside)
        limit[block], bias[block] = _one_class(chain[block])
    passing = np.flatnonzero(~recurrent)
    if len(passing):
        stay = np.eye(len(passing)) - chain[np.ix_(passing, passing)]
        into = chain[passing][:, recurrent]
        limit[passing] = np.linalg.solve(stay, into @ limit[recurrent])
        reward = np.eye(n_states)[passing]
        bias[passing] = np.linalg.solve(stay, reward - limit[passing] + into @ bias[recurrent])
    return Chain(limit, bias)


def average_gains(
    structure: Structure,
    matrix: NDArray[np.float64],
    reward: NDArray[np.float64],
    cache: dict[bytes, Chain],
) -> tuple[NDArray[np.float64], float]:
    """[S, n] optimal average rewards for `reward [S, n]`, and the residual of their equations.

    `matrix` is that of `choice_matrix`; `cache` keeps the long runs of policies from call to call.
    The residual bounds the error but for rounding in comparing averages, some 1e-12 of the
    rewards' range. Some five rounds of O(C S n), and O(S^3) for every policy met first.

    Raises:
        ModelError: a thousand rounds did not settle it.
    """
    spread = float(np.ptp(reward)) or 1.0
    slack = SLACK * spread
    starts = structure.choice_start[:-1].astype(np.int64)
    owner = _owner(structure)
    policy = _best(starts, owner, matrix @ reward)
    for _ in range(MOST_ROUNDS):
        gain, bias = _evaluated(matrix, policy, reward, cache)
        ahead = matrix @ gain
        better = np.maximum.reduceat(ahead, starts) > np.take_along_axis(ahead, policy, 0) + slack
        if better.any():
            policy = np.where(better, _best(starts, owner, ahead), policy)
            continue
        # Only among choices that keep the average does the bias decide.
        keeps = ahead >= gain[owner] - slack
        worth = np.where(keeps, matrix @ bias, -np.inf)
        rise = np.maximum.reduceat(worth, starts) - np.take_along_axis(worth, policy, 0)
        if not (rise > slack).any():
            return gain, slack + float(np.maximum(rise, 0).max())
        policy = np.where(rise > slack, _best(starts, owner, worth), policy)
    raise ModelError(
        f"the best average reward is not settled after {MOST_ROUNDS} rounds. Use power at a "
        "discount such as 0.9999 instead of the limit."
    )


def _owner(structure: Structure) -> NDArray[np.int64]:
    counts: NDArray[np.int64] = np.diff(structure.choice_start).astype(np.int64)
    return np.repeat(np.arange(structure.n_states), counts)


def _one_class(
    chain: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Limit and bias of an irreducible chain."""
    n = len(chain)
    system = np.eye(n) - chain
    balance = system.T.copy()
    balance[0] = 1.0  # the balance equations are dependent; one gives way to normalisation
    shares = np.linalg.solve(balance, np.eye(1, n)[0])
    limit = np.tile(np.maximum(shares, 0), (n, 1))
    anchored = system.copy()
    anchored[0] = np.eye(1, n)[0]
    right = np.eye(n) - limit
    right[0] = 0.0
    return limit, np.linalg.solve(anchored, right)


def _evaluated(
    matrix: NDArray[np.float64],
    policy: NDArray[np.int64],
    reward: NDArray[np.float64],
    cache: dict[bytes, Chain],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    gain, bias = np.empty_like(reward), np.empty_like(reward)
    distinct, which = np.unique(policy, axis=1, return_inverse=True)
    most = max(2**24 // policy.shape[0] ** 2, 8)
    for number, choices in enumerate(distinct.T):
        key = choices.tobytes()
        if key not in cache:
            if len(cache) >= most:
                cache.clear()
            cache[key] = limiting_chain(matrix[choices])
        chain = cache[key]
        lanes = np.flatnonzero(which.ravel() == number)
        gain[:, lanes] = chain.limit @ reward[:, lanes]
        bias[:, lanes] = chain.bias @ reward[:, lanes]
    return gain, bias


def _best(
    starts: NDArray[np.int64], owner: NDArray[np.int64], worth: NDArray[np.float64]
) -> NDArray[np.int64]:
    """[S, n] the first choice of every state that is worth most."""
    best = np.maximum.reduceat(worth, starts)[owner]
    index = np.where(worth >= best, np.arange(len(worth))[:, None], len(worth))
    return np.minimum.reduceat(index, starts)
