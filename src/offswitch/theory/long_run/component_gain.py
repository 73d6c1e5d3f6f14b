"""The best average reward of an end component, between two bounds.

Inside one every state can reach every other, so the best average is one number (Puterman 1994,
Sec. 8.6).
"""

from __future__ import annotations

import numba
import numpy as np
from numpy.typing import NDArray

from offswitch.theory.long_run.elimination import NOISE, differences, eliminated
from offswitch.theory.long_run.moves import Moves, chain_of

__all__ = ["component_gains"]

CLOSE = 1e-12
"""Of the rewards' range: bounds this close are not improved any more."""
ENOUGH = 1e-10
"""Of the rewards' range: bounds this close are not worth another round of bounding."""
MOST_ROUNDS = 200
LEVELS = 3
"""How often the remainder of a bound is bounded in its turn."""


@numba.njit(cache=True, nogil=True, error_model="numpy")
def component_gains(
    moves: Moves,
    reward: NDArray[np.float64],
    low: NDArray[np.float64],
    high: NDArray[np.float64],
) -> None:
    """Fill bounds `low`, `high` [lanes] on the best average for each of `reward [lanes, n]`."""
    for lane in range(len(reward)):
        low[lane], high[lane], gain, excess = _component_gain(moves, reward[lane])
        most = reward[lane].max()
        for _ in range(LEVELS):
            if high[lane] - low[lane] <= ENOUGH * most:
                break
            # No average exceeds `gain` by more than the best average of what remains: steps
            # whose worth is hard to tell are then weighed by how rarely they are made.
            _, remaining, part, excess = _component_gain(moves, excess)
            high[lane] = max(min(high[lane], gain + remaining), low[lane])
            gain += part


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _component_gain(
    moves: Moves, reward: NDArray[np.float64]
) -> tuple[float, float, float, NDArray[np.float64]]:
    """Policy iteration in a component, with policies that all lead to one recurrent class.

    Bounds on the best average; and the last one, with the most that a step may add to it [n].
    """
    n = len(reward)
    low, high = reward.min(), reward.max()
    policy = np.empty(n, np.int64)
    for place in range(n):
        policy[place] = moves.choice_start[place]
        best = -np.inf
        for choice in range(moves.choice_start[place], moves.choice_start[place + 1]):
            ahead = 0.0
            for entry in range(moves.start[choice], moves.start[choice + 1]):
                step = reward[moves.following[entry]] - reward[place]
                ahead += moves.chance[entry] * step
            if ahead > best:
                best, policy[place] = ahead, choice
    last, excess = low, reward - low
    if n == 1:
        return low, high, last, excess
    anchor, first = np.int64(0), np.int64(1)  # plain numbers would compile the callees twice
    for _ in range(MOST_ROUNDS):
        anchor = _lead_to_one(moves, reward, policy, anchor)
        order = np.arange(n)
        order[0], order[anchor] = anchor, 0
        chain = chain_of(moves, policy, order)
        gain, share, leave = eliminated(chain, reward[order], first)
        if not (np.isfinite(gain) and leave[1:].min() > 0):
            break
        low = max(low, gain)
        often = order[share.argmax()]
        if share[0] < share.max() / 4 and often != anchor:
            anchor = often
            order = np.arange(n)
            order[0], order[anchor] = anchor, 0
            chain = chain_of(moves, policy, order)
            gain, share, leave = eliminated(chain, reward[order], first)
        bias, doubt = differences(chain, leave, reward[order] - gain, np.zeros(1))
        if not np.isfinite(bias).all():
            break
        last, excess = gain, np.zeros(n)
        moved = _improve(moves, (reward, gain, bias, doubt, order), policy, excess)
        high = min(high, gain + excess.max())
        if not moved or high - low <= CLOSE * reward.max():
            break
    return low, max(high, low), last, excess


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _improve(
    moves: Moves,
    found: tuple[
        NDArray[np.float64], float, NDArray[np.float64], NDArray[np.float64], NDArray[np.int64]
    ],
    policy: NDArray[np.int64],
    above: NDArray[np.float64],
) -> bool:
    """Improve the policy where that is no rounding; `above [n]` is the most a choice may gain.

    No average exceeds that of the policy by more: Puterman 1994, Thm 8.5.5, for any bias.
    """
    reward, gain, bias, doubt, order = found
    moved = False
    for place in range(len(policy)):
        own, best, chosen = 0.0, 0.0, policy[place]
        for turn in range(2):  # first the policy's own choice, which another has to beat
            for choice in range(moves.choice_start[place], moves.choice_start[place + 1]):
                if (turn == 0) != (choice == policy[place]):
                    continue
                rise, size = reward[place] - gain, abs(reward[place] - gain)
                for entry in range(moves.start[choice], moves.start[choice + 1]):
                    at = order[moves.following[entry]], order[place]
                    rise += moves.chance[entry] * bias[at]
                    size += moves.chance[entry] * (abs(bias[at]) + doubt[at] / NOISE)
                above[place] = max(above[place], rise + NOISE * size)
                if turn == 0:
                    own = max(rise, 0.0)
                    best = own
                elif rise > best and rise > own + 2 * NOISE * size:
                    best, chosen = rise, choice
        if chosen != policy[place]:
            moved = True
            policy[place] = chosen
    return moved


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _lead_to_one(
    moves: Moves, reward: NDArray[np.float64], policy: NDArray[np.int64], anchor: int
) -> int:
    """A place of the policy's best recurrent class, after leading all others there."""
    n = len(policy)
    target = np.zeros(n, np.bool_)
    target[anchor] = True
    _extend(moves, policy, target, False)
    if target.all():
        return anchor
    chain = chain_of(moves, policy, np.arange(n))
    seen, best, chosen = np.zeros(n, np.bool_), -np.inf, anchor
    for place in range(n):
        if seen[place]:
            continue
        start, inside = place, _ahead(chain, place)
        while True:  # to a place that does not lead back, until all do
            back = np.zeros(n, np.bool_)
            back[start] = True
            _extend(moves, policy, back, False)
            stuck = np.flatnonzero(inside & ~back)
            if len(stuck) == 0:
                break
            start = stuck[0]
            inside = _ahead(chain, start)
        seen |= back
        members = np.flatnonzero(inside)
        block = np.empty((len(members), len(members)))
        for row in range(len(members)):
            for column in range(len(members)):
                block[row, column] = chain[members[row], members[column]]
        gain, share, _ = eliminated(block, reward[members], np.int64(1))
        if gain > best:
            best, chosen = gain, members[share.argmax()]
    target[:] = False
    target[chosen] = True
    _extend(moves, policy, target, False)
    _extend(moves, policy, target, True)
    return chosen


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _ahead(chain: NDArray[np.float64], start: int) -> NDArray[np.bool_]:
    """[n] places that a chain gets to from `start`."""
    found = np.zeros(len(chain), np.bool_)
    found[start] = True
    stack = [start]
    while stack:
        place = stack.pop()
        for other in range(len(chain)):
            if chain[place, other] > 0 and not found[other]:
                found[other] = True
                stack.append(other)
    return found


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _extend(
    moves: Moves, policy: NDArray[np.int64], target: NDArray[np.bool_], switch: bool
) -> None:
    """Add to `target` all that leads there; with `switch`, by any choice, which it then takes."""
    grown = True
    while grown:
        grown = False
        for place in range(len(policy)):
            if target[place]:
                continue
            first, last = policy[place], policy[place] + 1
            if switch:
                first, last = moves.choice_start[place], moves.choice_start[place + 1]
            for choice in range(first, last):
                for entry in range(moves.start[choice], moves.start[choice + 1]):
                    if target[moves.following[entry]]:
                        target[place] = True
                if target[place]:
                    policy[place] = choice
                    grown = True
                    break
