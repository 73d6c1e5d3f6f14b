"""POWER as the discount goes to 0 or to 1: Turner et al. 2021, Lemma 5.3 and after Def. 5.2.

To 0: the best expected reward one step ahead. To 1: the best long run, E max over recurrent state
distributions d of d . r. States whose limit has a closed form get it exactly; others are sampled.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import scipy.sparse as sp
from numpy.typing import ArrayLike, NDArray
from scipy.sparse.csgraph import connected_components

from offswitch.errors import ModelError
from offswitch.mdp.allowed import allowed_actions
from offswitch.mdp.batched.executor import Executor
from offswitch.mdp.batched.structure import Structure, analyse_structure
from offswitch.mdp.model import FiniteMDP
from offswitch.theory.laws.law import RewardLaw
from offswitch.theory.laws.uniform import Uniform
from offswitch.theory.long_run.average_gain import LongRuns, average_gains, long_runs
from offswitch.theory.long_run.cycle_means import best_cycle_means
from offswitch.theory.power import Options, Power, measured_power
from offswitch.theory.reward_draws import whole_seed
from offswitch.theory.sampling.arguments import checked_goals, checked_power_level
from offswitch.theory.sampling.contributions import Contributions
from offswitch.theory.sampling.estimate import Progress
from offswitch.theory.sampling.forced_states import Known, forced_states
from offswitch.theory.sampling.quasi_random import SOBOL_DIMENSIONS
from offswitch.theory.sampling.reachable_maximum import reachable_number, reaches, successor_lists

__all__ = ["AverageGains", "MyopicGains", "power_limit_average", "power_limit_myopic"]

DENSE_STATES = 500
"""Beyond this a stochastic process is too large for exact long runs."""
EPS = float(np.finfo(np.float64).eps)


@dataclass(frozen=True, eq=False)
class MyopicGains:
    """Contributions in the limit to discount 0: max_a sum T(s, a, s') r(s')."""

    structure: Structure

    def of(self, drawn: NDArray[np.float64]) -> Contributions:
        """What the goals `drawn [S, 64]` contribute. One sweep."""
        reward = drawn[self.structure.order]
        starts = self.structure.choice_start[:-1].astype(np.int64)
        gain = np.maximum.reduceat(_sparse_choices(self.structure) @ reward, starts)
        size = float(np.abs(reward).max())
        return Contributions(reward, gain, self.structure.n_states * EPS * size)


@dataclass(frozen=True, eq=False)
class AverageGains:
    """Contributions in the limit to discount 1: the best average reward."""

    structure: Structure
    runs: LongRuns | None = field(default=None, repr=False)
    """The process taken apart, where chance decides."""

    def of(self, drawn: NDArray[np.float64]) -> Contributions:
        """What the goals `drawn [S, 64]` contribute.

        Raises:
            ModelError: the best cycle of a deterministic process is not settled.
        """
        reward = drawn[self.structure.order]
        if self.runs is None:
            gain, error = best_cycle_means(*successor_lists(self.structure), reward)
        else:
            gain, error = average_gains(self.runs, reward)
        return Contributions(reward, gain, error)


def power_limit_myopic(
    mdp: FiniteMDP,
    *,
    rewards: RewardLaw | ArrayLike = Uniform(),  # noqa: B008  # frozen, as below
    half_width: float | None = None,
    samples: int | None = None,
    seed: int | np.random.Generator = 0,
    level: float = 0.95,
    keep_samples: bool = False,
    variance_reduction: bool = True,
    allowed: ArrayLike | None = None,
    executor: Executor = Executor(),  # noqa: B008  # frozen, so one shared default is safe
    progress: Progress | None = None,
) -> Power:
    """POWER as the discount goes to 0: E max_a sum T(s, a, s') r(s').

    The arguments are those of `power`. Under independent rewards of one law a state whose n
    different actions lead for sure to n different states has E max of n, exactly: n / (n + 1) for
    U(0, 1).

    >>> fork = FiniteMDP.from_coo(
    ...     3, 2, [(0, 0, 1, 1), (0, 1, 2, 1), (1, 0, 1, 1), (2, 0, 2, 1)]
    ... )
    >>> power_limit_myopic(fork).estimate.round(6).tolist()
    [0.666667, 0.5, 0.5]

    Raises:
        ModelError: as `power`.
        StatisticsError: the level is not in (0, 1).
    """
    level = checked_power_level(level)
    goals = checked_goals(mdp, rewards, half_width, samples)
    structure = analyse_structure(mdp, allowed_actions(mdp, allowed))
    known = _known_one_step(structure, goals.law) if goals.law is not None else None
    options = Options(whole_seed(seed), level, keep_samples, variance_reduction, executor, progress)
    return measured_power(MyopicGains(structure), goals, known, options)


def power_limit_average(
    mdp: FiniteMDP,
    *,
    rewards: RewardLaw | ArrayLike = Uniform(),  # noqa: B008  # frozen, as below
    half_width: float | None = None,
    samples: int | None = None,
    seed: int | np.random.Generator = 0,
    level: float = 0.95,
    keep_samples: bool = False,
    variance_reduction: bool = True,
    allowed: ArrayLike | None = None,
    executor: Executor = Executor(),  # noqa: B008  # frozen, so one shared default is safe
    progress: Progress | None = None,
) -> Power:
    """POWER as the discount goes to 1: E max over d in RSD(s) of d . r, the best average reward.

    The arguments are those of `power`. In a deterministic process it is the best mean of a
    reachable cycle; where every recurrent state reachable may also stay, that is the best of n
    states, exactly E max of n. Where chance decides it is found up to 500 states, with
    rows scaled to sum to 1. `recurrent_distributions` enumerates RSD(s) itself.

    >>> fork = FiniteMDP.from_coo(
    ...     3, 2, [(0, 0, 1, 1), (0, 1, 2, 1), (1, 0, 1, 1), (2, 0, 2, 1)]
    ... )
    >>> power_limit_average(fork).estimate.round(6).tolist()
    [0.666667, 0.5, 0.5]

    Raises:
        ModelError: as `power`, or a process with chance has over 500 states.
        StatisticsError: the level is not in (0, 1).
    """
    level = checked_power_level(level)
    goals = checked_goals(mdp, rewards, half_width, samples)
    kept = allowed_actions(mdp, allowed)
    structure = analyse_structure(mdp, kept)
    if not structure.deterministic and mdp.n_states > DENSE_STATES:
        raise ModelError(
            f"the process has {mdp.n_states} states and chance, expected at most {DENSE_STATES} "
            "for the limit to discount 1. Use power at a discount such as 0.9999."
        )
    known = None
    if goals.law is not None and goals.law.independent and mdp.n_states <= SOBOL_DIMENSIONS:
        known = _known_long_run(structure, goals.law)
    options = Options(whole_seed(seed), level, keep_samples, variance_reduction, executor, progress)
    runs = None if structure.deterministic else long_runs(mdp, structure, kept)
    return measured_power(AverageGains(structure, runs), goals, known, options)


def _known_one_step(structure: Structure, law: RewardLaw) -> Known:
    counts = np.diff(structure.choice_start.astype(np.int64))
    starts = structure.choice_start[:-1].astype(np.int64)
    one = counts == 1
    ahead = _sparse_choices(structure) @ law.mean(structure.n_states)[structure.order]
    value = ahead[starts]
    if law.independent:
        certain = structure.stay == 1
        moved = structure.probability == 1
        certain[np.searchsorted(structure.transition_start[1:], np.flatnonzero(moved), "right")] = (
            True
        )
        sure = np.logical_and.reduceat(certain, starts)
        value = np.where(sure & ~one, law.expected_maximum(counts), value)
        one = one | sure
    error = 1e-9 * float(np.abs(value).max(initial=0.0))
    return Known(one, value, error)


def _known_long_run(structure: Structure, law: RewardLaw) -> Known:
    mean = law.mean(structure.n_states)
    mask, value = forced_states(structure), mean.copy()
    error = 1e-9 * float(np.abs(mean).max())
    if not structure.deterministic:
        return Known(mask, value, error)
    start, successor = successor_lists(structure)
    owner = np.repeat(np.arange(len(start) - 1), np.diff(start))
    stays = np.zeros(len(mean), dtype=np.bool_)
    stays[owner[owner == successor]] = True
    graph = sp.csr_array(
        (np.ones(len(successor), np.int8), successor, start), shape=(len(mean), len(mean))
    )
    _, label = connected_components(graph, connection="strong")
    recurrent = stays | (np.bincount(label)[label] > 1)
    count = reachable_number(start, successor, stays)
    if count is not None:
        plain = ~reaches(start, successor, recurrent & ~stays) & ~mask
        value[plain] = law.expected_maximum(count[plain])
        mask = mask | plain
    return Known(mask, value, error)


def _sparse_choices(structure: Structure) -> sp.csr_array:
    """[C, S] probability of every successor of every choice, in the structure's order."""
    starts = structure.choice_start.astype(np.int64)
    owner = np.repeat(np.arange(structure.n_states), np.diff(starts))
    lengths = np.diff(structure.transition_start.astype(np.int64))
    shape = (structure.n_choices, structure.n_states)
    moves = sp.csr_array(
        (
            structure.probability,
            structure.next_state.astype(np.int64),
            np.append(0, np.cumsum(lengths)),
        ),
        shape=shape,
    )
    stays = sp.csr_array((structure.stay, (np.arange(len(owner)), owner)), shape=shape)
    return moves + stays
