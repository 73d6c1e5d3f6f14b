"""POWER: the ability to reach a wide range of goals from a state.

POWER(s) = (1 - gamma) / gamma * E[V*(s) - r(s)] over random state rewards r: Turner, Smith, Shah,
Critch & Tadepalli 2021 (arXiv 1912.01683), Def. 5.2. Under their law, iid U(0, 1), it lies in
[1/2, 1), and is 1/2 where there is nothing to choose.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from numbers import Integral
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from offswitch.errors import ModelError
from offswitch.mdp.batched.executor import Executor, checked_executor
from offswitch.mdp.batched.lanes import LANES
from offswitch.mdp.batched.plan import plan_solver
from offswitch.mdp.model import FiniteMDP
from offswitch.statistics.measurement import Measurement
from offswitch.theory.laws.goal_set import GoalSet
from offswitch.theory.laws.law import RewardLaw
from offswitch.theory.laws.uniform import Uniform
from offswitch.theory.reward_draws import whole_seed
from offswitch.theory.sampling.arguments import (
    Goals,
    checked_goals,
    checked_power_discount,
    checked_power_level,
    solver_tolerance,
)
from offswitch.theory.sampling.centring import centred_goals
from offswitch.theory.sampling.contributions import DiscountedGains, Gains, GivenDraws
from offswitch.theory.sampling.estimate import Goal, Progress, Sampled, sample_mean
from offswitch.theory.sampling.forced_states import Known, forced_power, with_last_choices
from offswitch.theory.sampling.intervals import Paired, difference_ends
from offswitch.theory.sampling.schemes import Drawing, Scheme, choose_scheme, given_scheme

__all__ = ["Options", "Power", "measured_power", "power"]

KNOWN_STATES = 21201
"""Up to here states without a choice are looked for; their POWER needs no sampling."""


@dataclass(frozen=True, eq=False)
class Power:
    """POWER of every state with its intervals. S states; all numbers in units of reward."""

    estimate: NDArray[np.float64]
    """[S] mean over the goals."""
    low: NDArray[np.float64]
    """[S] lower end of the interval of each state by itself; holds the solver's error."""
    high: NDArray[np.float64]
    """[S] upper end."""
    simultaneous_low: NDArray[np.float64]
    """[S] lower ends of intervals that all hold at once with probability `level`."""
    simultaneous_high: NDArray[np.float64]
    """[S] upper ends."""
    pair_low: NDArray[np.float64] = field(repr=False)
    """[S] lower ends of intervals any two of which hold at once with probability `level`."""
    pair_high: NDArray[np.float64] = field(repr=False)
    """[S] upper ends."""
    known: NDArray[np.bool_] = field(repr=False)
    """[S] whether there is nothing to sample, so that only the solver's error is left."""
    n: int
    """Goals the estimate rests on; the same ones serve every state. 0 for a closed form."""
    solver_error: float
    """Certified bound on the part of the error that more goals would not remove."""
    method: str
    """How goals were drawn and intervals made."""
    seed: int
    level: float
    """Confidence level of the intervals, in (0, 1)."""
    samples: NDArray[np.float64] | None
    """[n, S] what every goal contributes, where asked for."""
    interrupted: bool
    """Whether it was stopped (Ctrl-C) before the wanted half-width or number of goals."""
    parts: NDArray[np.float64] | None = field(repr=False)
    """[P, S] independent estimates from equal shares of the goals, as many as fit 128 MB (4 at
    least); None where the estimate is exact."""
    range: float | None
    """The largest difference two rewards may have; None where rewards have no bounds."""

    def difference(self, state: int, other: int) -> Measurement:
        """POWER(state) - POWER(other), from the same goals: sharper than the intervals suggest.

        Student's t over independent shares of the goals, corrected for skewness where there are
        64 shares or more, and widened by twice the solver's error. Where too few shares differ to
        believe their spread, the interval that two states' intervals leave at most. Of two states
        one of which needs no sampling, the interval of the other.

        Raises:
            ModelError: there is no such state; states are given by their index.
        """
        for given in (state, other):
            whole = isinstance(given, Integral) and not isinstance(given, bool)
            if not whole or not 0 <= given < len(self.estimate):
                raise ModelError(
                    f"state is {given!r}, expected an index in [0, {len(self.estimate)}). Pass "
                    "mdp.state_names.index(name) for a name."
                )
        middle = float(self.estimate[state] - self.estimate[other])
        low, high = self._difference_ends(state, other, middle)
        return Measurement(
            name="power_difference", estimate=middle, low=low, high=high,
            level=self.level, n=max(self.n, 1), unit="reward per step",
            method=f"{self.method}, paired", seed=self.seed,
        )  # fmt: skip

    def _difference_ends(self, state: int, other: int, middle: float) -> tuple[float, float]:
        if state == other:
            return middle, middle
        if self.parts is None or self.known[state] or self.known[other]:
            # At most one of the two is uncertain beyond the solver's error.
            low = float(self.low[state] - self.high[other])
            high = float(self.high[state] - self.low[other])
            return min(low, middle), max(high, middle)
        parts = self.parts[:, state] - self.parts[:, other]
        # Parts of unequal size may have another mean than the estimate: only their spread counts.
        moved = middle - float(parts.mean())
        apart = (
            float(self.pair_low[state] - self.pair_high[other]) - moved,
            float(self.pair_high[state] - self.pair_low[other]) - moved,
        )
        paired = Paired(parts, self.n, 2 * self.solver_error, self.range, apart)
        low, high = difference_ends(paired, level=self.level)
        return min(low + moved, middle), max(high + moved, middle)


def power(
    mdp: FiniteMDP,
    *,
    discount: float,
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
    """POWER of every state at `discount` in (0, 1), for goals drawn by the law `rewards`.

    Without a law rewards are iid U(0, 1). An array `[N, S]` is N goals drawn independently from a
    population that is not known: intervals are about that population's POWER, and where hardly any
    two goals differ they take its rewards to lie between the array's least and largest. For just
    those goals pass a `GoalSet`: each is solved, so the answer is exact. Otherwise draws goals
    until every state's interval is within `half_width` (0.01 unless given), or `samples` of them.
    By default goals are spread evenly and corrected by controls (`sampling.schemes`): then `n` is
    `samples` less a pilot, in whole blocks of 64; and a choice among states that stay, under
    rewards independent over states, has its closed form (Prop. 5.4). `keep_samples` draws
    independently and returns every goal's contribution. `allowed [S, A]` forbids actions. The same
    seed gives the same bytes on any executor.

    Intervals (`sampling.intervals`) allow for skewed and for rare contributions. What no goal drawn
    shows they cannot: 100 goals of Beta(0.05, 1000) rewards are little for 20 states at once.

    One optimal solve per goal, about a microsecond for 400 states and 10 ms for a million.

    >>> fork = FiniteMDP.from_coo(
    ...     3, 2, [(0, 0, 1, 1), (0, 1, 2, 1), (1, 0, 1, 1), (2, 0, 2, 1)]
    ... )
    >>> found = power(fork, discount=0.9, seed=1)
    >>> bool(found.low[0] < 2 / 3 < found.high[0]), found.estimate.round(3).tolist()
    (True, [0.667, 0.5, 0.5])

    Raises:
        ModelError: an argument is malformed, the law does not fit the process, or float64 cannot
            carry the half-width for such rewards at this discount.
        StatisticsError: the level is not in (0, 1).
        KeyboardInterrupt: it was interrupted before the first 256 goals were done.
    """
    level = checked_power_level(level)
    gamma = checked_power_discount(discount)
    asked = checked_goals(mdp, rewards, half_width, samples)
    key = whole_seed(seed)
    goals, shift, error = centred_goals(mdp, asked, gamma)
    tolerance = solver_tolerance(mdp, goals, gamma, single=keep_samples)
    plan = plan_solver(mdp, gamma, tolerance=tolerance, allowed=allowed)
    options = Options(key, level, keep_samples, variance_reduction, executor, progress)
    known = None
    if goals.law is not None and mdp.n_states <= KNOWN_STATES:
        known = forced_power(mdp, plan.structure, goals.law, gamma)
        if variance_reduction:
            known = with_last_choices(known, plan.structure, goals.law)
    return _moved_back(measured_power(DiscountedGains(plan), goals, known, options), shift, error)


class Options(NamedTuple):
    """How to measure; as the arguments of `power`."""

    seed: int
    level: float
    keep_samples: bool
    variance_reduction: bool
    executor: Executor
    progress: Progress | None


def measured_power(gains: Gains, goals: Goals, known: Known | None, options: Options) -> Power:
    """POWER at a discount or in a limit, as `gains` says; `known` need no sampling.

    Raises:
        ModelError: the law does not fit the process, or the accuracy cannot be had.
        KeyboardInterrupt: it was interrupted before the first 256 goals were done.
    """
    checked_executor(options.executor)
    if goals.exact:
        return _over_goal_set(gains, goals, options)
    if known is not None and known.mask.all() and not options.keep_samples:
        return _in_closed_form(gains, known, options)
    if goals.given is not None:
        scheme = given_scheme(gains, goals.given, keep=options.keep_samples)
    else:
        assert goals.law is not None
        drawing = Drawing(
            gains, goals.law, goals.samples, options.seed,
            options.keep_samples, options.variance_reduction, options.executor,
        )  # fmt: skip
        scheme = replace(choose_scheme(drawing), known=known)
    goal = Goal(goals.half_width, options.level, goals.bounds)
    found = sample_mean(scheme, goal, options.executor, options.progress)
    return _sampled(scheme, found, goal, options.seed)


def _moved_back(found: Power, shift: float, error: float) -> Power:
    """POWER of the rewards that were lowered by `shift`."""
    if not shift:
        return found
    return replace(
        found,
        estimate=found.estimate + shift,
        low=found.low + shift - error,
        high=found.high + shift + error,
        simultaneous_low=found.simultaneous_low + shift - error,
        simultaneous_high=found.simultaneous_high + shift + error,
        pair_low=found.pair_low + shift - error,
        pair_high=found.pair_high + shift + error,
        solver_error=found.solver_error + error,
        samples=None if found.samples is None else found.samples + shift,
    )


def _sampled(scheme: Scheme, found: Sampled, goal: Goal, seed: int) -> Power:
    """What was sampled, in the order of the process."""
    evidence = found.evidence
    back = np.argsort(scheme.order)
    lowest, highest = goal.bounds or (-np.inf, np.inf)
    estimate = np.clip(evidence.mean[back], lowest, highest)
    # Corrected for skewness, an interval for rare rewards may leave out its own estimate.
    return Power(
        estimate=estimate,
        low=np.minimum(found.low[back], estimate),
        high=np.maximum(found.high[back], estimate),
        simultaneous_low=np.minimum(found.together[0][back], estimate),
        simultaneous_high=np.maximum(found.together[1][back], estimate),
        pair_low=found.in_pairs[0][back],
        pair_high=found.in_pairs[1][back],
        known=_known(scheme)[back],
        n=evidence.n,
        solver_error=evidence.error,
        method=scheme.method,
        seed=seed,
        level=goal.level,
        samples=None if evidence.values is None else evidence.values[:, back],
        interrupted=found.interrupted,
        parts=evidence.parts[:, back],
        range=_range(scheme),
    )


def _known(scheme: Scheme) -> NDArray[np.bool_]:
    return np.zeros(scheme.n_states, np.bool_) if scheme.known is None else scheme.known.mask


def _range(scheme: Scheme) -> float | None:
    if scheme.extremes is None:
        return None
    least, most = scheme.extremes
    return float(most.max() - least.min())


def _over_goal_set(gains: Gains, goals: Goals, options: Options) -> Power:
    """Every goal of the set, weighed by its probability."""
    assert isinstance(goals.law, GoalSet)
    table, share = goals.law.table, goals.law.share
    draws = GivenDraws(table)
    total, error = np.zeros(table.shape[1]), 0.0
    values = np.empty(table.shape) if options.keep_samples else None
    back = np.argsort(gains.structure.order)
    for first in range(0, len(table), LANES):
        found = gains.of(draws.block(first // LANES))
        gain = found.gain[:, : len(table) - first]
        total += gain @ share[first : first + LANES]
        error = max(error, found.error)
        if values is not None:
            values[first : first + LANES] = gain.T[:, back]
    method = f"exact over all {len(table)} goals"
    return _exact(total[back], error, len(table), method, options, values)


def _in_closed_form(gains: Gains, known: Known, options: Options) -> Power:
    back = np.argsort(gains.structure.order)
    return _exact(known.value[back], known.error, 0, "closed form", options, None)


def _exact(
    estimate: NDArray[np.float64],
    error: float,
    n: int,
    method: str,
    options: Options,
    values: NDArray[np.float64] | None,
) -> Power:
    low, high = estimate - error, estimate + error
    return Power(
        estimate=estimate, low=low, high=high, simultaneous_low=low, simultaneous_high=high,
        pair_low=low, pair_high=high, known=np.ones(len(estimate), np.bool_), n=n,
        solver_error=error, method=method, seed=options.seed, level=options.level, samples=values,
        interrupted=False, parts=None, range=None,
    )  # fmt: skip
