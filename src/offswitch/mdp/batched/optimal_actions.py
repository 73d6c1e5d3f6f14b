"""For how many samples of a block each action is certainly optimal, and for how many undecided.

Turner et al. 2021, Defs 4.1-4.4: an action is optimal where no other is worth more. With values
known to within e, |V - V*| <= e, worths of actions before discounting are known to within e too,
so a gap between two is decided if it exceeds 2 e. Whatever is closer is counted apart.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numba
import numpy as np
from numpy.typing import NDArray

from offswitch.errors import ModelError
from offswitch.mdp.batched.block import Block
from offswitch.mdp.batched.lanes import LANES
from offswitch.mdp.batched.plan import SolverPlan
from offswitch.mdp.batched.structure import Structure

__all__ = [
    "OptimalCounts",
    "add_chance_counts",
    "add_route_counts",
    "by_action",
    "chance_tables",
    "count_optimal",
    "decision_bars",
    "fill_bars",
    "route_targets",
]

GAP_ROUNDING = 1 + 2.0**-20
"""Differences are taken in the precision of the values; far above what that can lose."""


class OptimalCounts(NamedTuple):
    """Samples by state and action, in original order. S states, A actions."""

    optimal: NDArray[np.int64]
    """[S, A] samples for which the action is certainly within the tie of the best."""
    near: NDArray[np.int64]
    """[S, A] samples for which the certificate cannot tell."""


def count_optimal(
    plan: SolverPlan, block: Block, *, lanes: int = LANES, tie: float = 0.0
) -> OptimalCounts:
    """Over the first `lanes` samples of a solved block, how often each action is optimal.

    An action counts as optimal where Q(s, a) >= max_b Q(s, b) - `tie` (units of reward) for
    certain. Actions that are the same, with equal successors, are optimal together.
    Unavailable ones never are. O(transitions * 64).

    >>> from offswitch.mdp.batched.block import solve_block
    >>> from offswitch.mdp.batched.plan import plan_solver
    >>> from offswitch.mdp.model import FiniteMDP
    >>> fork = FiniteMDP.from_coo(
    ...     3, 2, [(0, 0, 1, 1), (0, 1, 2, 1), (1, 0, 1, 1), (2, 0, 2, 1)]
    ... )
    >>> plan = plan_solver(fork, 0.9, tolerance=1e-3)
    >>> rewards = np.zeros((3, 64), plan.dtype)
    >>> rewards[plan.structure.position[1], :48] = 1
    >>> rewards[plan.structure.position[2], 48:] = 1
    >>> count_optimal(plan, solve_block(plan, rewards)).optimal.tolist()
    [[48, 16], [64, 0], [64, 0]]

    Raises:
        ModelError: `lanes` is not in [0, 64] or `tie` is negative.
    """
    if not 0 <= lanes <= LANES or not tie >= 0:
        raise ModelError(
            f"lanes is {lanes} and tie {tie}, expected 0 to {LANES} samples and a tie of 0 or more"
        )
    structure = plan.structure
    counts = np.zeros((2, structure.n_choices), np.int64)
    bars = decision_bars(plan, block, tie)
    bars[:, lanes:] = np.nan  # no gap compares with it
    if structure.deterministic:
        add_route_counts(
            structure.choice_start, route_targets(structure), block.value.reshape(-1), bars, counts
        )
    else:
        add_chance_counts(*chance_tables(structure), block.value.reshape(-1), bars, counts)
    return OptimalCounts(by_action(structure, counts[0]), by_action(structure, counts[1]))


def route_targets(structure: Structure) -> NDArray[np.uint32]:
    """[C] the one internal successor of every choice of a deterministic process."""
    owner = np.repeat(
        np.arange(structure.n_states, dtype=np.uint32), np.diff(structure.choice_start)
    )
    leaves = structure.stay == 0
    owner[leaves] = structure.next_state[structure.transition_start[:-1][leaves]]
    return owner


def chance_tables(
    structure: Structure,
) -> tuple[
    tuple[NDArray[np.uint32], NDArray[np.uint32], NDArray[np.uint32]],
    tuple[NDArray[np.float64], NDArray[np.float64]],
]:
    """The tables of any process, as `add_chance_counts` takes them."""
    starts = structure.choice_start, structure.transition_start, structure.next_state
    return starts, (structure.probability, structure.stay)


def decision_bars(
    plan: SolverPlan, block: Block, tie: float = 0.0
) -> NDArray[Any]:  # Any: the plan's precision
    """[2, 64] gaps in V up to which an action of the `block` is optimal, and beyond which not.

    `tie` is in units of reward. What lies between the two is undecided.
    """
    bars = np.empty((2, LANES), plan.dtype)
    error = block.error
    if not plan.structure.deterministic:
        # A certificate in doubled precision may be finer than the float64 means compared here.
        terms = int(np.diff(plan.structure.transition_start.astype(np.int64)).max()) + 4
        size = np.maximum(np.abs(block.value.max(axis=0)), np.abs(block.value.min(axis=0)))
        error = error + terms * 2.0**-53 * size
    fill_bars(error, tie / plan.discount, 2 * (2 - plan.contraction), bars)
    return bars


@numba.njit(cache=True, nogil=True)
def fill_bars(
    error: NDArray[np.float64], level: float, width: float, bars: NDArray[Any]
) -> None:  # Any: either precision
    """Fill `bars [2, 64]` about the `level`; `width` is 2 (2 - beta).

    Worths err by the values' error, and their gaps by twice that.
    """
    for lane in range(LANES):
        unsure = error[lane] * width * GAP_ROUNDING
        low, high = level - unsure, level + unsure
        bars[0, lane] = low - abs(low) * (GAP_ROUNDING - 1)
        bars[1, lane] = high + abs(high) * (GAP_ROUNDING - 1)


def by_action(structure: Structure, counts: NDArray[np.int64]) -> NDArray[np.int64]:
    """[S, A] in original order the `counts [C]` of choices; 0 where unavailable."""
    spread = np.zeros(structure.choice.shape, np.int64)
    _spread(structure.order, structure.choice, counts, spread)
    return spread


@numba.njit(cache=True, nogil=True)
def _spread(
    order: NDArray[np.int64],
    choice: NDArray[np.int32],
    counts: NDArray[np.int64],
    spread: NDArray[np.int64],
) -> None:
    for place in range(len(order)):
        for action in range(choice.shape[1]):
            if choice[place, action] >= 0:
                spread[order[place], action] = counts[choice[place, action]]


@numba.njit(cache=True, nogil=True)
def add_route_counts(
    choice_start: NDArray[np.uint32],
    target: NDArray[np.uint32],
    value: NDArray[Any],  # Any: either precision
    bars: NDArray[Any],
    counts: NDArray[np.int64],
) -> None:
    """Add to `counts [2, C]` the optimal and undecided samples of a deterministic process.

    `value` is flat, `[S * 64]`; `target [C]` from `route_targets`, `bars` from `decision_bars`.
    """
    width, one, two, three, four = (
        numba.uint64(LANES), numba.uint64(1), numba.uint64(2), numba.uint64(3), numba.uint64(4),
    )  # fmt: skip
    top, second = np.empty(LANES, value.dtype), np.empty(LANES, value.dtype)
    counted = 0
    for lane in range(LANES):
        counted += not np.isnan(bars[1, lane])
    for state in range(len(choice_start) - 1):
        first, end = numba.uint64(choice_start[state]), numba.uint64(choice_start[state + 1])
        last = end - one
        a = numba.uint64(target[first]) * width
        b = numba.uint64(target[min(first + one, last)]) * width
        c = numba.uint64(target[min(first + two, last)]) * width
        d = numba.uint64(target[min(first + three, last)]) * width
        for lane in range(LANES):
            at = numba.uint64(lane)
            top[at] = max(value[a + at], value[b + at], value[c + at], value[d + at])
        choice = first + four
        while choice < end:
            a = numba.uint64(target[choice]) * width
            for lane in range(LANES):
                at = numba.uint64(lane)
                top[at] = max(top[at], value[a + at])
            choice += one
        total = 0
        choice = first
        while choice < end:
            a = numba.uint64(target[choice]) * width
            possible = numba.int32(0)
            for lane in range(LANES):
                at = numba.uint64(lane)
                possible += numba.int32(top[at] - value[a + at] <= bars[1, at])
            counts[0, choice] += possible
            total += possible
            choice += one
        if total > counted:  # else one choice of each sample stands clear of all others
            _set_apart((first, end), target, value, bars, (top, second), counts)


@numba.njit(cache=True, nogil=True)
def _set_apart(
    choices: tuple[int, int],
    target: NDArray[np.uint32],
    value: NDArray[Any],  # Any: either precision
    bars: NDArray[Any],
    scratch: tuple[NDArray[Any], NDArray[Any]],
    counts: NDArray[np.int64],
) -> None:
    """Move the undecided samples of one state from the optimal ones to those counted apart."""
    first, end = choices
    top, second = scratch
    width, one = numba.uint64(LANES), numba.uint64(1)
    for lane in range(LANES):
        top[numba.uint64(lane)] = second[numba.uint64(lane)] = -np.inf
    choice = first
    while choice < end:
        a = numba.uint64(target[choice]) * width
        for lane in range(LANES):
            at = numba.uint64(lane)
            second[at] = max(second[at], min(top[at], value[a + at]))
            top[at] = max(top[at], value[a + at])
        choice += one
    choice = first
    while choice < end:
        a = numba.uint64(target[choice]) * width
        undecided = numba.int32(0)
        for lane in range(LANES):
            at = numba.uint64(lane)
            worth = value[a + at]
            gap = (second[at] if worth == top[at] else top[at]) - worth
            undecided += numba.int32((gap > bars[0, at]) & (gap <= bars[1, at]))
        counts[0, choice] -= undecided
        counts[1, choice] += undecided
        choice += one


@numba.njit(cache=True, nogil=True)
def add_chance_counts(
    starts: tuple[NDArray[np.uint32], NDArray[np.uint32], NDArray[np.uint32]],
    chances: tuple[NDArray[np.float64], NDArray[np.float64]],
    value: NDArray[Any],  # Any: either precision
    bars: NDArray[Any],
    counts: NDArray[np.int64],
) -> None:
    """As `add_route_counts`, for any process, with the means taken in float64."""
    choice_start, transition_start, next_state = starts
    probability, stay = chances
    worth = np.empty((np.diff(choice_start).max(), LANES))
    for state in range(len(choice_start) - 1):
        first = np.int64(choice_start[state])
        degree = np.int64(choice_start[state + 1]) - first
        for nth in range(degree):
            choice = first + nth
            for lane in range(LANES):
                worth[nth, lane] = stay[choice] * np.float64(value[state * LANES + lane])
            for entry in range(transition_start[choice], transition_start[choice + 1]):
                other, chance = np.int64(next_state[entry]) * LANES, probability[entry]
                for lane in range(LANES):
                    worth[nth, lane] += chance * np.float64(value[other + lane])
        for lane in range(LANES):
            top, second = -np.inf, -np.inf
            for nth in range(degree):
                second = max(second, min(top, worth[nth, lane]))
                top = max(top, worth[nth, lane])
            for nth in range(degree):
                rival = second if worth[nth, lane] == top else top
                gap = rival - worth[nth, lane]
                counts[0, first + nth] += gap <= bars[0, lane]
                counts[1, first + nth] += bars[0, lane] < gap <= bars[1, lane]
