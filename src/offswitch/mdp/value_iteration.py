"""Value iteration, Gauss-Seidel, with the stay in the same state solved for.

A state's update uses the newest values of the others and divides out its own loop,
    V(s) <- max_a (r(s, a) + gamma sum_{s' != s} P V(s')) / (1 - gamma P(s | s, a)),
which has the same fixed point and shrinks distances by at least gamma (Puterman 1994, 6.3.3).
Absorbing states are therefore exact after one sweep, whatever the discount. Between two sweeps
over all actions a few follow the best action alone (modified policy iteration).
"""

from __future__ import annotations

import numba
import numpy as np
from numpy.typing import NDArray

from offswitch.mdp.state_order import successors_first
from offswitch.mdp.task import Task

__all__ = ["iterate_values"]

POLICY_SWEEPS = 6
"""Sweeps along the best action after each sweep over all actions."""


def iterate_values(
    task: Task, *, change: float, max_sweeps: int
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Values `[K, S]` and the number of sweeps over all actions `[K]` of each goal.

    Sweeps end when no state changes by more than `change` (units of reward), which leaves an error
    of at most gamma / (1 - gamma) * change before rounding, or after `max_sweeps`.
    O(K transitions) a sweep.
    """
    value = np.zeros(task.reward.shape[:2])
    sweeps = np.zeros(len(value), dtype=np.int64)
    order = successors_first(task.row_start, task.next_state, task.allowed)
    _iterate(task, order, (change, max_sweeps), value, sweeps)
    return value, sweeps


@numba.njit(cache=True, nogil=True)
def _iterate(
    task: Task,
    order: NDArray[np.int64],
    limits: tuple[float, int],
    value: NDArray[np.float64],
    sweeps: NDArray[np.int64],
) -> None:
    policy = np.zeros(len(order), np.int64)
    for goal in range(len(value)):
        while sweeps[goal] < limits[1]:
            sweeps[goal] += 1
            if _sweep_all(task, goal, order, value[goal], policy) <= limits[0]:
                break
            for _ in range(POLICY_SWEEPS):
                if _sweep_policy(task, goal, order, value[goal], policy) <= limits[0]:
                    break


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _sweep_all(
    task: Task,
    goal: int,
    order: NDArray[np.int64],
    value: NDArray[np.float64],
    policy: NDArray[np.int64],
) -> float:
    # Unpacked once: taking an array out of the tuple in the inner loop doubles the time.
    row_start, next_state, probability, allowed, reward, discount = task
    n_actions, by_act = allowed.shape[1], reward.shape[2] > 1
    change = 0.0
    for state in order:
        best = -np.inf
        for action in range(n_actions):
            if allowed[state, action]:
                row = state * n_actions + action
                ahead, stay = _ahead(row_start, next_state, probability, value, row, state)
                earned = reward[goal, state, action if by_act else 0]
                worth = (earned + discount * ahead) / (1 - discount * stay)
                if worth > best:
                    best = worth
                    policy[state] = action
        change = max(change, abs(best - value[state]))
        value[state] = best
    return change


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _sweep_policy(
    task: Task,
    goal: int,
    order: NDArray[np.int64],
    value: NDArray[np.float64],
    policy: NDArray[np.int64],
) -> float:
    row_start, next_state, probability, allowed, reward, discount = task
    n_actions, by_act = allowed.shape[1], reward.shape[2] > 1
    change = 0.0
    for state in order:
        row = state * n_actions + policy[state]
        ahead, stay = _ahead(row_start, next_state, probability, value, row, state)
        earned = reward[goal, state, policy[state] if by_act else 0]
        worth = (earned + discount * ahead) / (1 - discount * stay)
        change = max(change, abs(worth - value[state]))
        value[state] = worth
    return change


@numba.njit(cache=True, nogil=True)
def _ahead(
    row_start: NDArray[np.int64],
    next_state: NDArray[np.int64],
    probability: NDArray[np.float64],
    value: NDArray[np.float64],
    row: int,
    state: int,
) -> tuple[float, float]:
    stay = 0.0
    ahead = 0.0
    for entry in range(row_start[row], row_start[row + 1]):
        following = next_state[entry]
        if following == state:
            stay = probability[entry]
        else:
            ahead += probability[entry] * value[following]
    return ahead, stay
