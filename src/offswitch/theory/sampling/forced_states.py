"""States whose POWER needs no sampling: nothing to choose, or a choice among ways to stay."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from offswitch.mdp.batched.structure import Structure
from offswitch.mdp.model import FiniteMDP
from offswitch.theory.laws.law import RewardLaw
from offswitch.theory.power_samples import power_samples
from offswitch.theory.sampling.reachable_maximum import reaches, successor_lists

__all__ = ["Known", "forced_power", "forced_states", "row_sum_error", "with_last_choices"]

QUADRATURE = 1e-9
"""Of the mean of a largest reward: more than what it is off by."""


class Known(NamedTuple):
    """Means that are known, in the plan's order."""

    mask: NDArray[np.bool_]
    """[S] whether the state's mean is known."""
    value: NDArray[np.float64]
    """[S] the mean where it is."""
    error: float
    """Bound on its error."""


def forced_states(structure: Structure) -> NDArray[np.bool_]:
    """[S] whether no state with two different choices is reachable, in the structure's order."""
    choosing = np.diff(structure.choice_start.astype(np.int64)) > 1
    forced: NDArray[np.bool_] = ~reaches(*successor_lists(structure), choosing)
    return forced


def forced_power(mdp: FiniteMDP, structure: Structure, law: RewardLaw, discount: float) -> Known:
    """POWER of the forced states: there it is linear in the rewards, so the mean goal says it.

    Under rewards of one mean m it is m: the weights (1 - gamma) / gamma (f - e_s) sum to 1, but for
    rows that sum to 1 + d: those change it by at most d / (1 - gamma (1 + d)).
    """
    mask = forced_states(structure)
    mean = law.mean(mdp.n_states)
    if not mask.any() or np.ptp(mean) == 0:
        off = row_sum_error(structure)
        grown = discount * (1 + off)
        if grown >= 1:  # the sum has no bound, so nothing is known
            return Known(np.zeros_like(mask), mean[structure.order], 0.0)
        relative = off / (1 - grown) + 4 * float(np.finfo(np.float64).eps)
        return Known(mask, mean[structure.order], relative * float(np.abs(mean).max()))
    allowed = np.empty(structure.choice.shape, dtype=np.bool_)
    allowed[structure.order] = structure.choice >= 0
    found = power_samples(mdp, mean[None], discount, allowed=allowed)
    return Known(mask, found.value[0][structure.order], found.solver_error)


def with_last_choices(known: Known, structure: Structure, law: RewardLaw) -> Known:
    """`known` and the states from which every choice surely leads to a state that only stays.

    There POWER is the mean of the largest reward within reach: Turner et al. 2021, Prop. 5.4. For
    rewards independent over states.
    """
    counts: NDArray[np.int64] = np.diff(structure.choice_start.astype(np.int64)).astype(np.int64)
    added = _last_choices(structure, counts) & ~known.mask
    if not law.independent or not added.any():
        return known
    value = known.value.copy()
    value[added] = law.expected_maximum(counts[added])
    error = max(known.error, QUADRATURE * float(np.abs(value[added]).max()))
    return Known(known.mask | added, value, error)


def _last_choices(structure: Structure, counts: NDArray[np.int64]) -> NDArray[np.bool_]:
    """[S] whether every choice stays or surely moves to a state that has no other choice."""
    first = structure.choice_start[:-1].astype(np.int64)
    final = structure.stay == 1
    ends = (counts == 1) & final[first]
    moving = np.flatnonzero(np.diff(structure.transition_start.astype(np.int64)) == 1)
    move = structure.transition_start[moving]
    final[moving] = (structure.probability[move] == 1) & ends[structure.next_state[move]]
    found: NDArray[np.bool_] = np.logical_and.reduceat(final, first)
    return found


def row_sum_error(structure: Structure) -> float:
    """How far the sum of a row is from 1 at most; exactly 0 where every row is one sure move."""
    lengths: NDArray[np.int64] = np.diff(structure.transition_start).astype(np.int64)
    row = np.repeat(np.arange(structure.n_choices), lengths)
    total = structure.stay + np.bincount(row, structure.probability, structure.n_choices)
    entries = lengths + (structure.stay > 0)
    rounding = np.where(entries > 1, entries * np.finfo(np.float64).eps, 0.0)
    return float((np.abs(total - 1) + rounding).max(initial=0.0))
