"""States from which there is nothing to choose, whose POWER needs no sampling."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from offswitch.mdp.batched.structure import Structure
from offswitch.mdp.model import FiniteMDP
from offswitch.theory.laws.law import RewardLaw
from offswitch.theory.power_samples import power_samples
from offswitch.theory.sampling.reachable_maximum import reaches, successor_lists

__all__ = ["Known", "forced_power", "forced_states"]


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

    Under rewards of one mean m it is m: the weights (1 - gamma) / gamma (f - e_s) sum to 1.
    """
    mask = forced_states(structure)
    mean = law.mean(mdp.n_states)
    if not mask.any() or np.ptp(mean) == 0:
        eps = 4 * np.finfo(np.float64).eps * float(np.abs(mean).max())
        return Known(mask, mean[structure.order], eps)
    found = power_samples(mdp, mean[None], discount)
    return Known(mask, found.value[0][structure.order], found.solver_error)
