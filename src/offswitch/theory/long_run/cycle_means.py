"""The best mean reward of a cycle that each state can reach, by Howard's policy iteration."""

from __future__ import annotations

import numba
import numpy as np
from numpy.typing import NDArray

from offswitch.errors import ModelError

__all__ = ["best_cycle_means"]

SLACK = 1e-11
"""Of the rewards' range: a gain in bias below this is rounding, and the error of the means."""
MOST_ROUNDS = 10_000


def best_cycle_means(
    start: NDArray[np.int64], successor: NDArray[np.int64], reward: NDArray[np.float64]
) -> tuple[NDArray[np.float64], float]:
    """[S, n] the largest mean reward of a cycle reachable from each state, and its error.

    `reward` is `[S, n]`, earned on visiting a state; moves are successor lists. It is the optimal
    average reward of a deterministic process. Policy iteration as in Cochet-Terrasson, Cohen,
    Gaubert, McGettrick & Quadrat 1998: some ten rounds of O(moves) for each reward. When it stops,
    no move leads to a higher mean, and around any cycle of equal means the biases cancel, so no
    cycle is better by more than the error.

    >>> pair = np.array([0, 1, 3]), np.array([1, 0, 1])
    >>> best_cycle_means(*pair, np.array([[0.0], [1.0]]))[0].tolist()
    [[1.0], [1.0]]

    Raises:
        ModelError: ten thousand rounds did not settle it.
    """
    least = reward.min(axis=0)
    raised = reward - least  # so that what all rewards share costs no digits
    spread = float(raised.max(initial=0.0))
    eps = float(np.finfo(np.float64).eps)
    slack = (SLACK + 4 * len(reward) * eps) * spread
    found = np.empty_like(reward)
    if not _all_lanes(start, successor, raised, slack, found):
        raise ModelError(
            f"the best cycle is not settled after {MOST_ROUNDS} rounds. Round the rewards, or use "
            "power at a discount such as 0.9999 instead of the limit."
        )
    size = float(np.abs(reward).max(initial=0.0))
    return found + least, slack + len(reward) * eps * spread + 4 * eps * size


@numba.njit(cache=True, nogil=True)
def _all_lanes(
    start: NDArray[np.int64],
    successor: NDArray[np.int64],
    reward: NDArray[np.float64],
    slack: float,
    found: NDArray[np.float64],
) -> bool:
    n_states, lanes = reward.shape
    earned = np.empty(n_states)
    policy = np.empty(n_states, np.int64)
    mean, bias = np.empty(n_states), np.empty(n_states)
    scratch = np.empty(n_states, np.int64), np.empty(n_states, np.int64)
    for lane in range(lanes):
        earned[:] = reward[:, lane]
        for state in range(n_states):
            policy[state] = successor[start[state]]
            for entry in range(start[state], start[state + 1]):
                if earned[successor[entry]] > earned[policy[state]]:
                    policy[state] = successor[entry]
        for round_ in range(MOST_ROUNDS + 1):
            if round_ == MOST_ROUNDS:
                return False
            _evaluate(policy, earned, mean, bias, scratch)
            moved = _raise_mean(start, successor, policy, mean)
            if not moved and not _raise_bias(start, successor, earned, policy, mean, bias, slack):
                break
        found[:, lane] = mean
    return True


@numba.njit(cache=True, nogil=True)
def _evaluate(
    policy: NDArray[np.int64],
    earned: NDArray[np.float64],
    mean: NDArray[np.float64],
    bias: NDArray[np.float64],
    scratch: tuple[NDArray[np.int64], NDArray[np.int64]],
) -> None:
    """Mean of the cycle that each state runs into, and bias relative to its lowest state."""
    n_states = len(policy)
    path, mark = scratch
    mark[:] = -1  # the root a state was first reached from
    done = np.zeros(n_states, np.bool_)
    for root in range(n_states):
        length, state = 0, root
        while mark[state] < 0:
            mark[state] = root
            path[length] = state
            length += 1
            state = policy[state]
        if not done[state]:  # a new cycle, through `state`
            total, count, lowest, at = 0.0, 0, state, state
            while True:
                total += earned[at]
                count += 1
                lowest = min(lowest, at)
                at = policy[at]
                if at == state:
                    break
            mean[lowest], bias[lowest] = total / count, 0.0
            done[lowest] = True
            # Around the cycle backwards: its states lie in a row on the path, from `state` on.
            first = length - count
            turn = 0
            while path[first + turn] != lowest:
                turn += 1
            for step in range(1, count):
                at = path[first + (turn - step) % count]
                mean[at] = mean[lowest]
                bias[at] = earned[at] - mean[lowest] + bias[policy[at]]
                done[at] = True
        for place in range(length - 1, -1, -1):
            at = path[place]
            if not done[at]:
                mean[at] = mean[policy[at]]
                bias[at] = earned[at] - mean[at] + bias[policy[at]]
                done[at] = True


@numba.njit(cache=True, nogil=True)
def _raise_mean(
    start: NDArray[np.int64],
    successor: NDArray[np.int64],
    policy: NDArray[np.int64],
    mean: NDArray[np.float64],
) -> bool:
    moved = False
    for state in range(len(policy)):
        for entry in range(start[state], start[state + 1]):
            if mean[successor[entry]] > mean[policy[state]]:
                policy[state] = successor[entry]
                moved = True
    return moved


@numba.njit(cache=True, nogil=True)
def _raise_bias(
    start: NDArray[np.int64],
    successor: NDArray[np.int64],
    earned: NDArray[np.float64],
    policy: NDArray[np.int64],
    mean: NDArray[np.float64],
    bias: NDArray[np.float64],
    slack: float,
) -> bool:
    moved = False
    for state in range(len(policy)):
        best = earned[state] - mean[state] + bias[policy[state]] + slack
        for entry in range(start[state], start[state + 1]):
            other = successor[entry]
            # Means of one cycle are one number, so equality needs no tolerance.
            worth = earned[state] - mean[state] + bias[other]
            if mean[other] == mean[state] and worth > best:
                best = worth
                policy[state] = other
                moved = True
    return moved
