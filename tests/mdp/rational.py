"""Policy iteration in rational numbers: the optimum itself, to compare floats with."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from offswitch.mdp.model import FiniteMDP


def rational_optimum(
    mdp: FiniteMDP,
    reward: NDArray[np.float64],
    discount: float,
    allowed: NDArray[np.bool_] | None = None,
) -> list[Fraction]:
    """The exact V* of one goal's reward `[S, A]`, for the process as the floats state it."""
    kept = mdp.available if allowed is None else mdp.available & allowed
    gamma = Fraction(discount)
    rows = [{a: _row(mdp, s, a) for a in np.flatnonzero(kept[s])} for s in range(mdp.n_states)]
    policy = [next(iter(acts)) for acts in rows]
    while True:
        value = _evaluate(rows, policy, reward, gamma)
        better = [_best(s, acts, reward, gamma, value) for s, acts in enumerate(rows)]
        worth = [_worth(s, a, rows[s][a], reward, gamma, value) for s, a in enumerate(better)]
        if all(w == v for w, v in zip(worth, value, strict=True)):
            return value
        policy = [
            new if w > v else old
            for new, old, w, v in zip(better, policy, worth, value, strict=True)
        ]


def _row(mdp: FiniteMDP, state: int, action: int) -> dict[int, Fraction]:
    following, chance = mdp.successors(state, action)
    return {int(s): Fraction(float(p)) for s, p in zip(following, chance, strict=True)}


def _worth(state, action, row, reward, gamma, value):  # type: ignore[no-untyped-def]
    ahead = sum((p * value[s] for s, p in row.items()), Fraction(0))
    return Fraction(float(reward[state, action])) + gamma * ahead


def _best(state, acts, reward, gamma, value):  # type: ignore[no-untyped-def]
    return max(acts, key=lambda a: _worth(state, a, acts[a], reward, gamma, value))


def _evaluate(rows, policy, reward, gamma):  # type: ignore[no-untyped-def]
    size = len(rows)
    table = [
        [
            Fraction(int(s == t)) - gamma * rows[s][policy[s]].get(t, Fraction(0))
            for t in range(size)
        ]
        + [Fraction(float(reward[s, policy[s]]))]
        for s in range(size)
    ]
    for pivot in range(size):  # diagonally dominant: no pivot is 0
        for other in range(size):
            if other != pivot and table[other][pivot]:
                factor = table[other][pivot] / table[pivot][pivot]
                table[other] = [
                    x - factor * y for x, y in zip(table[other], table[pivot], strict=True)
                ]
    return [table[s][size] / table[s][s] for s in range(size)]
