"""Controls of POWER: the largest reward within d steps, whose mean is known.

A state's POWER sample is some best mix of rewards it can reach, so it moves with the best reward
near by at low discounts and the best one anywhere at high discounts. For independent rewards of
one law the mean of the largest of n is known, so what the drawn maxima happened to be off by can
be taken out of the estimate. S states in the plan's order, 64 samples, k controls.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numba
import numpy as np
from numpy.typing import NDArray

from offswitch.mdp.batched.lanes import LANES, lane_rows
from offswitch.mdp.batched.structure import Structure
from offswitch.theory.laws.law import RewardLaw

__all__ = [
    "Controls",
    "control_values",
    "reachable_controls",
    "reachable_counts",
    "reachable_number",
    "reaches",
    "successor_lists",
]

DEPTHS = (1, 2, 3, 4, 6, 9, 18)
EVERYWHERE = 0
"""Stands for a depth without end."""
MOST_SWEEPS = 64
"""Sweeps after which everything reachable is known in practice; else that control is left out."""


class Controls(NamedTuple):
    """What is measured beside every sample: the state's own reward, then maxima by depth."""

    start: NDArray[np.int64]
    """[S + 1] first successor of every state, whatever the action."""
    successor: NDArray[np.int64]
    """[E] distinct successors."""
    depths: tuple[int, ...]
    """Steps within which the maximum is taken; 0 without end. Increasing, 0 last."""
    means: NDArray[np.float64]
    """[k, S] exact mean of every control, k = 1 + len(depths)."""


def reachable_controls(structure: Structure, law: RewardLaw) -> Controls:
    """The controls for goals drawn by `law`.

    Where rewards are not independent the own reward alone. Counts reachable states with S^2 / 4
    bytes and some ten sweeps over them, S^2 transitions / 64 operations each.

    Raises:
        ModelError: the law is about another number of states.
    """
    start, successor = successor_lists(structure)
    own = law.mean(structure.n_states)[structure.order]
    if not law.independent:
        return Controls(start, successor, (), own[None])
    counts = reachable_counts(start, successor)
    kept = {depth: n for depth, n in counts.items() if depth in (*DEPTHS, EVERYWHERE)}
    depths = tuple(sorted(kept, key=lambda depth: depth or 2**62))
    maxima = [law.expected_maximum(kept[depth]) for depth in depths]
    return Controls(start, successor, depths, np.stack([own, *maxima]))


def reachable_counts(
    start: NDArray[np.int64], successor: NDArray[np.int64]
) -> dict[int, NDArray[np.int64]]:
    """[S] the states reachable in 1 to d steps, for the depths d that tell states apart.

    Key 0 is any number of steps; it is missing where 64 sweeps do not settle it.

    >>> reachable_counts(np.array([0, 1, 3]), np.array([1, 0, 1]))[1].tolist()
    [1, 2]
    """
    n_states = len(start) - 1
    inside = np.zeros((n_states, (n_states + 63) // 64), np.uint64)
    counts: dict[int, NDArray[np.int64]] = {}
    now = np.zeros(n_states, np.int64)
    for depth in range(1, DEPTHS[-1] + 1):
        inside = _one_step_more(start, successor, inside)
        before, now = now, np.bitwise_count(inside).sum(axis=1, dtype=np.int64)
        if (now == before).all():
            counts[EVERYWHERE] = counts.pop(depth - 1)
            return counts
        counts[depth] = now
    if _close(start, successor, inside, MOST_SWEEPS):
        counts[EVERYWHERE] = np.bitwise_count(inside).sum(axis=1, dtype=np.int64)
    return counts


def control_values(
    controls: Controls, reward: NDArray[np.float64]
) -> Iterator[NDArray[np.float64]]:
    """Each of the k controls for `reward [S, 64]`, `[S, 64]`; the array is used again for the next.

    One sweep over the successors for each step of depth, a few for the last.
    """
    yield reward
    if not controls.depths:
        return
    flat = reward.reshape(-1)
    graph = controls.start, controls.successor, np.empty(LANES)
    # The best within d steps is that of the successors now or within d - 1 steps.
    best, following = (lane_rows(len(reward), np.float64) for _ in range(2))
    now = reward.copy()
    reached = 0
    for depth in controls.depths:
        if depth == EVERYWHERE:
            _settle(controls.start, controls.successor, now)
        for _ in range(depth - reached if depth != EVERYWHERE else 1):
            _one_step(*graph, (flat, now.reshape(-1)), best.reshape(-1), following.reshape(-1))
            now, following = following, now
        reached = depth
        yield best


def reachable_number(
    start: NDArray[np.int64], successor: NDArray[np.int64], target: NDArray[np.bool_]
) -> NDArray[np.int64] | None:
    """[S] states of `target [S]` reachable in any number of steps, 0 included.

    None where 64 sweeps do not settle it. S^2 / 8 bytes.

    >>> path = np.array([0, 1, 2]), np.array([1, 1])
    >>> reachable_number(*path, np.array([True, True])).tolist()
    [2, 1]
    """
    n_states = len(start) - 1
    inside = np.zeros((n_states, (n_states + 63) // 64), np.uint64)
    state = np.flatnonzero(target)
    inside[state, state // 64] = np.uint64(1) << (state % 64).astype(np.uint64)
    if not _close(start, successor, inside, MOST_SWEEPS):
        return None
    found: NDArray[np.int64] = np.bitwise_count(inside).sum(axis=1, dtype=np.int64)
    return found


def reaches(
    start: NDArray[np.int64], successor: NDArray[np.int64], target: NDArray[np.bool_]
) -> NDArray[np.bool_]:
    """[S] whether a state of `target [S]` is reachable in any number of steps, 0 included.

    >>> reaches(np.array([0, 1, 2]), np.array([1, 1]), np.array([False, True])).tolist()
    [True, True]
    """
    now = target.astype(np.float64)[:, None]
    _settle(start, successor, now)
    found: NDArray[np.bool_] = now[:, 0] > 0
    return found


def successor_lists(structure: Structure) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """[S + 1] where each state's successors start, and the successors, each once."""
    n_states = structure.n_states
    moves: NDArray[np.int64] = np.diff(structure.move_start).astype(np.int64)
    owner = np.repeat(np.arange(n_states), moves)
    stays = np.maximum.reduceat(structure.stay, structure.choice_start[:-1].astype(np.int64)) > 0
    loops = np.flatnonzero(stays)
    edges = np.unique(
        np.concatenate([owner * n_states + structure.next_state, loops * n_states + loops])
    )
    start = np.searchsorted(edges, np.arange(n_states + 1) * n_states)
    return start.astype(np.int64), edges % n_states


@numba.njit(cache=True, nogil=True)
def _one_step_more(
    start: NDArray[np.int64], successor: NDArray[np.int64], inside: NDArray[np.uint64]
) -> NDArray[np.uint64]:
    wider = np.zeros_like(inside)
    for state in range(len(start) - 1):
        for entry in range(start[state], start[state + 1]):
            other = successor[entry]
            for word in range(inside.shape[1]):
                wider[state, word] |= inside[other, word]
            wider[state, other // 64] |= np.uint64(1) << np.uint64(other % 64)
    return wider


@numba.njit(cache=True, nogil=True)
def _close(
    start: NDArray[np.int64],
    successor: NDArray[np.int64],
    inside: NDArray[np.uint64],
    most: int,
) -> bool:
    """Add to every set those of its successors until nothing changes; False if it still does."""
    n_states = len(start) - 1
    for sweep in range(most):
        changed = False
        for place in range(n_states):
            state = place if sweep % 2 == 0 else n_states - 1 - place
            for entry in range(start[state], start[state + 1]):
                other = successor[entry]
                for word in range(inside.shape[1]):
                    joined = inside[state, word] | inside[other, word]
                    changed |= joined != inside[state, word]
                    inside[state, word] = joined
        if not changed:
            return True
    return False


@numba.njit(cache=True, nogil=True)
def _one_step(
    start: NDArray[np.int64],
    successor: NDArray[np.int64],
    top: NDArray[np.float64],
    known: tuple[NDArray[np.float64], NDArray[np.float64]],
    best: NDArray[np.float64],
    following: NDArray[np.float64],
) -> None:
    """Flat `best` of the successors of every state, and `following`, the own reward joined to it.

    Shaped for the compiler like the solver's sweeps (`mdp.batched.deterministic_sweeps`).
    """
    reward, now = known
    width, one, two = numba.uint64(LANES), numba.uint64(1), numba.uint64(2)
    for state in range(len(start) - 1):
        entry, end = numba.uint64(start[state]), numba.uint64(start[state + 1])
        first = numba.uint64(successor[entry]) * width
        second = numba.uint64(successor[end - one]) * width
        row = numba.uint64(state) * width
        for lane in range(LANES):
            at = numba.uint64(lane)
            top[at] = max(now[first + at], now[second + at])
        entry += one
        while entry + two < end:
            first = numba.uint64(successor[entry]) * width
            second = numba.uint64(successor[entry + one]) * width
            for lane in range(LANES):
                at = numba.uint64(lane)
                top[at] = max(top[at], now[first + at], now[second + at])
            entry += two
        if entry + one < end:
            first = numba.uint64(successor[entry]) * width
            for lane in range(LANES):
                at = numba.uint64(lane)
                top[at] = max(top[at], now[first + at])
        for lane in range(LANES):
            at = numba.uint64(lane)
            best[row + at] = top[at]
            following[row + at] = max(reward[row + at], top[at])


@numba.njit(cache=True, nogil=True)
def _settle(
    start: NDArray[np.int64], successor: NDArray[np.int64], now: NDArray[np.float64]
) -> None:
    """Raise `now` in place to the largest that is reachable in any number of steps, 0 included."""
    n_states, lanes = now.shape
    best = np.empty(lanes)
    changed, sweep = True, 0
    while changed:
        changed = False
        for place in range(n_states):
            state = place if sweep % 2 == 0 else n_states - 1 - place
            best[:] = now[state]
            for entry in range(start[state], start[state + 1]):
                other = successor[entry]
                for lane in range(lanes):
                    best[lane] = max(best[lane], now[other, lane])
            for lane in range(lanes):
                changed |= best[lane] != now[state, lane]
                now[state, lane] = best[lane]
        sweep += 1
