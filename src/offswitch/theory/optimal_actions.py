"""Which actions are optimal for which goals, decided in float64 with a certificate."""

from __future__ import annotations

from typing import NamedTuple

import numba
import numpy as np
from numpy.typing import ArrayLike, NDArray

from offswitch.mdp.action_values import action_values
from offswitch.mdp.allowed import allowed_actions
from offswitch.mdp.discount import checked_discount
from offswitch.mdp.model import FiniteMDP
from offswitch.mdp.solve import solve
from offswitch.theory.reward_units import scaled_rewards, tie_of

__all__ = ["OptimalActions", "optimal_actions", "takes_tagged"]

COARSE, FINE = 2.0**-6, 2.0**-10
"""The solver's tolerance as a share of a tie: for all goals, and for those it leaves undecided."""


class OptimalActions(NamedTuple):
    """K goals, S states, A actions."""

    optimal: NDArray[np.bool_]
    """[K, S, A] whether the action certainly forgoes at most a tie; all that tie are."""
    near: NDArray[np.bool_]
    """[K, S, A] whether what it forgoes cannot be told from the largest that is still a tie."""


def optimal_actions(
    mdp: FiniteMDP, rewards: ArrayLike, *, discount: float, allowed: ArrayLike | None = None
) -> OptimalActions:
    """For each goal `[K, S]` or `[K, S, A]` the actions that are optimal, among the `allowed`.

    pi*(s) = a for some optimal policy, as Turner et al. 2021, Def. 4.3 asks: max_b Q*(s, b) -
    Q*(s, a) is at most a tie (`reward_units.tie_of`). One optimal solve per goal to a 64th of
    that, and a finer one where this leaves a choice open.

    >>> fork = FiniteMDP.from_coo(
    ...     3, 2, [(0, 0, 1, 1), (0, 1, 2, 1), (1, 0, 1, 1), (2, 0, 2, 1)]
    ... )
    >>> found = optimal_actions(fork, [[0, 1, 0.0], [0, 1, 1]], discount=0.5)
    >>> found.optimal[:, 0].tolist(), bool(found.near.any())
    ([[True, False], [True, True]], False)

    Raises:
        ModelError: an argument is malformed.
    """
    mask = allowed_actions(mdp, allowed)
    scaled, _ = scaled_rewards(mdp, rewards)
    found = _decided(mdp, scaled, discount, mask, COARSE)
    open_ = np.flatnonzero(found.near.any(axis=(1, 2)))
    if len(open_):
        again = _decided(mdp, scaled[open_], discount, mask, FINE)
        found.optimal[open_], found.near[open_] = again
    return found


def _decided(
    mdp: FiniteMDP,
    scaled: NDArray[np.float64],
    discount: float,
    mask: NDArray[np.bool_],
    share: float,
) -> OptimalActions:
    tie = tie_of(checked_discount(discount))
    found = solve(mdp, scaled, discount, tolerance=tie * share, allowed=mask)
    values = np.where(mask, action_values(mdp, scaled, found.value, discount), -np.inf)
    forgone = values.max(axis=2, keepdims=True) - values
    terms = int(np.diff(mdp.row_start).max()) + 4
    size = np.abs(found.value).max(axis=1) + np.abs(scaled).reshape(len(scaled), -1).max(axis=1)
    # Both action values are off by the value's error, discounted, and by their own sums' rounding.
    error = 2 * (discount * found.error * (1 + 1e-8) + terms * np.finfo(np.float64).eps * size)
    slack = error[:, None, None]
    optimal = forgone + slack <= tie
    return OptimalActions(optimal, ~optimal & (forgone - slack <= tie))


def takes_tagged(
    mdp: FiniteMDP, acts: NDArray[np.bool_], tagged: NDArray[np.bool_]
) -> NDArray[np.bool_]:
    """[K] whether some policy among `acts [K, S, A]` may take an act of `tagged [S, A]`.

    From `mdp.start`, ever. A tagged act that is reached is reached along a path without
    repetitions, so by a deterministic policy. O(transitions) per goal.
    """
    taken = np.zeros(len(acts), dtype=np.bool_)
    starts = np.flatnonzero(mdp.start > 0)
    _search(mdp.row_start, mdp.next_state, acts, tagged, starts, taken)
    return taken


@numba.njit(cache=True, nogil=True)
def _search(
    row_start: NDArray[np.int64],
    next_state: NDArray[np.int64],
    acts: NDArray[np.bool_],
    tagged: NDArray[np.bool_],
    starts: NDArray[np.int64],
    taken: NDArray[np.bool_],
) -> None:
    n_goals, n_states, n_actions = acts.shape
    stack = np.empty(n_states, dtype=np.int64)
    for goal in range(n_goals):
        seen = np.zeros(n_states, dtype=np.bool_)
        depth = len(starts)
        stack[:depth] = starts
        for state in starts:
            seen[state] = True
        while depth > 0 and not taken[goal]:
            depth -= 1
            state = stack[depth]
            for action in range(n_actions):
                if not acts[goal, state, action]:
                    continue
                if tagged[state, action]:
                    taken[goal] = True
                row = state * n_actions + action
                for entry in range(row_start[row], row_start[row + 1]):
                    following = next_state[entry]
                    if not seen[following]:
                        seen[following] = True
                        stack[depth] = following
                        depth += 1
