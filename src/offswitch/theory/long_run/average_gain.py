"""Optimal average reward where chance decides, by maximal end components.

A policy ends in some end component, and inside one every state can reach every other, so the best
average of each is one number (Puterman 1994, Sec. 8.6). What is left is where to end: collapse each
to a node that may stop for its average or leave, and maximise the expected stop (de Alfaro 1997,
ch. 3). Chains are solved by elimination without subtraction (Grassmann, Taksar & Heyman 1985), so
that however rare a transition is costs no digits, and every answer lies between two bounds.

S states, 64 samples. A component or the graph of nodes is a `Moves`: n places, C choices.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from offswitch.mdp.batched.structure import Structure
from offswitch.mdp.model import FiniteMDP
from offswitch.theory.long_run.best_stop import best_stop
from offswitch.theory.long_run.component_gain import component_gains
from offswitch.theory.long_run.end_components import end_components
from offswitch.theory.long_run.moves import Moves, moves_between

__all__ = ["LongRuns", "average_gains", "long_runs"]

EPS = float(np.finfo(np.float64).eps)


class LongRuns(NamedTuple):
    """A process taken apart: where policies may stay, and how they get there. K nodes."""

    node: NDArray[np.int64]
    """[S] node of every state, in the structure's order; components come first."""
    components: tuple[tuple[NDArray[np.int64], Moves], ...]
    """States of every component, and the choices that stay in it."""
    passage: Moves
    """Between nodes, given that a choice leads elsewhere at all."""
    steps: NDArray[np.float64]
    """[K] bound on the expected moves before a policy stops."""
    doubt: float
    """Relative doubt about an average: rows need not sum to exactly 1."""


def long_runs(mdp: FiniteMDP, structure: Structure, allowed: NDArray[np.bool_]) -> LongRuns:
    """The process taken apart, for `average_gains`. O(rounds x transitions + K^3)."""
    ends = end_components(mdp, allowed)
    label = ends.label[structure.order]
    count = int(label.max()) + 1
    node = label.copy()
    node[label < 0] = count + np.arange((label < 0).sum())
    staying = np.zeros(structure.n_choices, dtype=np.bool_)
    number = structure.choice
    inside = ends.inside[structure.order] & (number >= 0)
    staying[number[inside]] = True
    owner, row, following, chance, off = _renormalised(structure)
    components = []
    for component in range(count):
        states = np.flatnonzero(label == component)
        local = np.full(len(label), -1)
        local[states] = np.arange(len(states))
        kept = staying & (label[owner] == component)
        part = kept[row]
        moves = moves_between(
            local[owner[kept]],
            (np.cumsum(kept)[row[part]] - 1, local[following[part]], chance[part]),
            len(states),
        )
        components.append((states, moves))
    passage = _passage(node, (owner, row, following, chance), ~staying)
    stops = np.arange(node.max(initial=-1) + 1) < count
    steps = np.zeros(len(stops))
    lacking = np.zeros(len(stops))
    best_stop(passage, np.where(stops, 0.0, -np.inf), np.ones(len(stops)), steps, lacking)
    steps[~np.isfinite(lacking)] = np.inf
    # Chances off by a factor of 1 + d move an average by 2 n d of its range (tree theorem).
    doubt = 2 * len(node) * (off + 4 * EPS)
    return LongRuns(node, tuple(components), passage, 2 * steps + 1, doubt)


def average_gains(runs: LongRuns, reward: NDArray[np.float64]) -> tuple[NDArray[np.float64], float]:
    """[S, n] optimal average rewards for `reward [S, n]` and a bound on their error.

    Each is the average of a policy that was found; the error reaches up to what no policy exceeds.
    For each reward some ten rounds of policy iteration, O(n^3) for components of n states.
    """
    least = reward.min(axis=0)
    raised = reward - least
    spread = raised.max(axis=0)
    lanes = reward.shape[1]
    stop = np.full((len(runs.steps), lanes), -np.inf)
    above = np.zeros(lanes)
    for number, (states, moves) in enumerate(runs.components):
        low, high = np.empty(lanes), np.empty(lanes)
        component_gains(moves, np.ascontiguousarray(raised[states].T), low, high)
        stop[number] = low
        above = np.maximum(above, high - low)
    value = np.zeros_like(stop)
    for lane in range(lanes):
        value[:, lane], late = _stopping(runs, stop[:, lane].copy())
        # No policy gains more than the largest reward: that also bounds what is not finite.
        above[lane] = min(above[lane] + late, spread[lane])
    rounding = 4 * EPS * float(np.abs(reward).max(initial=0.0))
    error = float((above + runs.doubt * spread).max(initial=0.0)) + rounding
    return value[runs.node] + least, error


def _stopping(runs: LongRuns, stop: NDArray[np.float64]) -> tuple[NDArray[np.float64], float]:
    """[K] the best expected stop, and a bound on what is missing to it."""
    value, lacking = np.zeros_like(stop), np.zeros_like(stop)
    best_stop(runs.passage, stop, np.zeros_like(stop), value, lacking)
    if not lacking.any():
        return value, 0.0
    if not np.isfinite(lacking).all() or not np.isfinite(runs.steps).all():
        return value, np.inf
    # What a policy may still gain on its way weighs only as often as it comes by.
    late, rest = np.zeros_like(stop), np.zeros_like(stop)
    free = np.where(np.isfinite(stop), 0.0, -np.inf)
    best_stop(runs.passage, free, lacking, late, rest)
    crude = float(lacking.max() * runs.steps.max())
    finer = float(late.max() + rest.max() * runs.steps.max())
    return value, min(crude, finer) if np.isfinite(rest).all() else crude


def _renormalised(
    structure: Structure,
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64], NDArray[np.float64], float]:
    """[C] state of every choice; [N] choice, successor, chance; and how far rows were from 1."""
    counts: NDArray[np.int64] = np.diff(structure.choice_start).astype(np.int64)
    owner = np.repeat(np.arange(structure.n_states), counts)
    lengths: NDArray[np.int64] = np.diff(structure.transition_start).astype(np.int64)
    row = np.repeat(np.arange(structure.n_choices), lengths)
    total = structure.stay + np.bincount(row, structure.probability, structure.n_choices)
    chance = structure.probability / total[row]
    off = float(np.abs(total - 1).max(initial=0.0))
    return owner, row, structure.next_state.astype(np.int64), chance, off


def _passage(
    node: NDArray[np.int64],
    edges: tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]],
    leaving: NDArray[np.bool_],
) -> Moves:
    owner, row, following, chance = edges
    kept = np.flatnonzero(leaving)
    kept = kept[np.argsort(node[owner[kept]], kind="stable")]
    place = np.full(len(owner), -1)
    place[kept] = np.arange(len(kept))
    out = (place[row] >= 0) & (node[following] != node[owner[row]])
    row, chance, following = place[row[out]], chance[out], node[following[out]]
    order = np.argsort(row, kind="stable")
    row, chance, following = row[order], chance[order], following[order]
    # Scaled by the largest first: chances may be so small that their sum loses digits.
    largest = np.zeros(len(kept))
    np.maximum.at(largest, row, chance)
    chance = chance / largest[row]
    chance /= np.bincount(row, chance, len(kept))[row]
    return moves_between(node[owner[kept]], (row, following, chance), int(node.max(initial=-1)) + 1)
