"""What acting is worth beyond the value of the state, in doubled precision.

At a discount of 0.9999 values are some 1e4 rewards large and their last digit, divided by
1 - discount, is no longer small. Sums of products therefore carry their own rounding errors along
(Ogita, Rump & Oishi 2005, "Accurate sum and dot product", Algorithm 5.3, Dot2), and a value may be
given as an unevaluated sum high + low.
"""

from __future__ import annotations

import numba
import numpy as np
from numpy.typing import NDArray

from offswitch.mdp.task import Task

__all__ = ["UNIT_ROUNDOFF", "advantage_rounding", "advantages"]

UNIT_ROUNDOFF = 2.0**-53
SPLITTER = 2.0**27 + 1


def advantages(
    task: Task, high: NDArray[np.float64], low: NDArray[np.float64]
) -> NDArray[np.float64]:
    """[K, S, A] r(s, a) + gamma E V(s') - V(s) for V = high + low; -inf where not allowed.

    S states, A actions, K goals; `high` and `low` are `[K, S]`. O(K transitions), some ten times
    the price of plain sums.
    """
    gain = np.empty((len(task.reward), *task.allowed.shape))
    _fill(task, high, low, gain)
    return gain


def advantage_rounding(
    task: Task, high: NDArray[np.float64], advantage: NDArray[np.float64]
) -> NDArray[np.float64]:
    """[K] upper bound on the rounding error of `advantage [K]`, the largest in size of each goal.

    Dot2 over n terms errs by at most (n u)^2 sum |x y| before its last rounding, u = 2^-53; the
    constants here are rounded up, and the last term covers underflow.
    """
    terms = float(np.diff(task.row_start).max()) + 8
    size = np.abs(task.reward).max(axis=(1, 2)) + 3 * np.abs(high).max(axis=1)
    bound: NDArray[np.float64] = (
        4 * UNIT_ROUNDOFF * np.abs(advantage) + 8 * (terms * UNIT_ROUNDOFF) ** 2 * size + 1e-280
    )
    return bound


@numba.njit(cache=True, nogil=True)
def _two_sum(x: float, y: float) -> tuple[float, float]:
    """The float64 sum of x and y, and exactly what its rounding lost (Knuth's TwoSum)."""
    total = x + y
    back = total - x
    return total, (x - (total - back)) + (y - back)


@numba.njit(cache=True, nogil=True)
def _two_product(x: float, y: float) -> tuple[float, float]:
    product = x * y
    shift = SPLITTER * x
    x_high = shift - (shift - x)
    x_low = x - x_high
    shift = SPLITTER * y
    y_high = shift - (shift - y)
    y_low = y - y_high
    lost = x_low * y_low - (((product - x_high * y_high) - x_low * y_high) - x_high * y_low)
    return product, lost


@numba.njit(cache=True, nogil=True)
def _expectation(
    next_state: NDArray[np.int64],
    probability: NDArray[np.float64],
    span: tuple[int, int],
    high: NDArray[np.float64],
    low: NDArray[np.float64],
) -> tuple[float, float]:
    total = 0.0
    rest = 0.0
    for entry in range(span[0], span[1]):
        chance = probability[entry]
        following = next_state[entry]
        product, lost = _two_product(chance, high[following])
        total, lost_in_sum = _two_sum(total, product)
        rest += lost + lost_in_sum + chance * low[following]
    return total, rest


@numba.njit(cache=True, nogil=True)
def _fill(
    task: Task, high: NDArray[np.float64], low: NDArray[np.float64], gain: NDArray[np.float64]
) -> None:
    # Unpacked once: taking an array out of the tuple in the inner loop doubles the time.
    row_start, next_state, probability, allowed, reward, discount = task
    n_goals, n_states, n_actions = gain.shape
    for goal in range(n_goals):
        for state in range(n_states):
            for action in range(n_actions):
                if not allowed[state, action]:
                    gain[goal, state, action] = -np.inf
                    continue
                row = state * n_actions + action
                span = (row_start[row], row_start[row + 1])
                ahead, rest = _expectation(next_state, probability, span, high[goal], low[goal])
                ahead, lost = _two_product(discount, ahead)
                ahead, lost_first = _two_sum(ahead, -high[goal, state])
                earned = reward[goal, state, action % reward.shape[2]]
                ahead, lost_second = _two_sum(ahead, earned)
                rest = discount * rest + lost - low[goal, state] + lost_first + lost_second
                gain[goal, state, action] = ahead + rest
