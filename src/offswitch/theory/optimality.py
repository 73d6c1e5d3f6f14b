"""How often an action, or a tagged event, is optimal when goals are drawn at random.

Turner, Smith, Shah, Critch & Tadepalli 2021 (arXiv 1912.01683), Defs 4.1-4.4. POWER is a mean and
this is closer to a median: the two may order actions differently (their App. B), so report both.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from offswitch.mdp.batched.block import solve_block
from offswitch.mdp.batched.executor import Executor, fold_blocks
from offswitch.mdp.batched.lanes import LANES
from offswitch.mdp.batched.optimal_actions import count_optimal
from offswitch.mdp.batched.plan import SolverPlan, plan_solver
from offswitch.mdp.discount import checked_discount
from offswitch.mdp.model import FiniteMDP
from offswitch.statistics.level import tail_probability
from offswitch.theory.laws.law import RewardLaw
from offswitch.theory.laws.uniform import Uniform
from offswitch.theory.optimal_actions import optimal_actions
from offswitch.theory.reward_units import scaled_rewards, tie_of
from offswitch.theory.sampling.goal_blocks import GoalBlocks, goal_blocks
from offswitch.theory.tagged_event import (
    EventSums,
    TaggedEvent,
    event_of,
    event_sums,
    joined_events,
)

__all__ = ["Optimality", "optimality"]

SOLVER_SHARE = 2.0**-6
"""The batched solver's tolerance as a share of a tie."""


@dataclass(frozen=True, eq=False)
class Optimality:
    """For which share of goals each action is optimal in each state. S states, A actions.

    An action counts if it forgoes at most a tie (`reward_units.tie_of`), and so do all that tie:
    the shares of one state may add up to more than 1. Unavailable actions have 0 throughout.
    """

    probability: NDArray[np.float64]
    """[S, A] P_D(s, a, gamma) of Turner et al. 2021, Def. 4.3, estimated; in [0, 1]."""
    low: NDArray[np.float64]
    """[S, A] lower ends of Clopper and Pearson's intervals, each for itself; in [0, 1]."""
    high: NDArray[np.float64]
    """[S, A] upper ends; goals too close to call count against `low` and for `high`."""
    counts: NDArray[np.int64]
    """[S, A] goals for which the action is certainly optimal."""
    near: NDArray[np.int64]
    """[S, A] goals for which it cannot be told from one beyond the tie, even in float64."""
    n: int
    """Goals; the same ones serve every state and action."""
    refined: int
    """Goals solved a second time, with a finer certificate, because a choice was close."""
    level: float
    """Confidence level of the intervals, in (0, 1)."""
    seed: int | None
    """Seed of the goals; None where they were given."""
    tagged: TaggedEvent | None
    """The tagged event; None where nothing was tagged."""


def optimality(
    mdp: FiniteMDP,
    *,
    discount: float,
    rewards: RewardLaw | ArrayLike | None = None,
    samples: int | None = None,
    seed: int = 0,
    tagged: ArrayLike | None = None,
    level: float = 0.95,
    allowed: ArrayLike | None = None,
    executor: Executor = Executor(),  # noqa: B008  # frozen, so one shared default is safe
) -> Optimality:
    """The probability of each action being optimal, over goals of a law or the given `[N, S]`.

    `rewards` is U(0, 1) on every state unless told; `samples` goals of the law (1000 unless told).
    Every decision is certified: what the batched solver cannot tell is solved again, exactly.
    `tagged [S, A]` asks of the event besides, from `mdp.start`, at the price of two further solves
    per goal. The result depends on the seed, not on the executor.

    >>> fork = FiniteMDP.from_coo(
    ...     3, 2, [(0, 0, 1, 1), (0, 1, 2, 1), (1, 0, 1, 1), (2, 0, 2, 1)]
    ... )
    >>> found = optimality(fork, discount=0.9, samples=640, seed=1)
    >>> bool(found.low[0, 0] < 1 / 2 < found.high[0, 0]), found.probability[1].tolist()
    (True, [1.0, 0.0])

    Raises:
        ModelError: an argument is malformed.
        StatisticsError: the level is not in (0, 1).
    """
    tail_probability(level)
    goals = goal_blocks(mdp, Uniform() if rewards is None else rewards, samples, seed)
    tolerance = SOLVER_SHARE * tie_of(checked_discount(discount))
    plan = plan_solver(mdp, discount, tolerance=tolerance, allowed=allowed)
    tags = None if tagged is None else np.asarray(tagged)
    work = _Work(plan, goals, tags)
    parts = list(fold_blocks(work, range(goals.n_blocks), executor=executor))
    counts = sum((part.optimal for part in parts), np.zeros_like(parts[0].optimal))
    near = sum((part.near for part in parts), np.zeros_like(parts[0].near))
    low, high = _intervals(counts, near, goals.n, level)
    event = None
    if tags is not None:
        event = event_of([part.event for part in parts if part.event], level, goals.seed)
    return Optimality(
        probability=counts / goals.n,
        low=np.where(plan.allowed, low, 0.0),
        high=np.where(plan.allowed, high, 0.0),
        counts=counts,
        near=near,
        n=goals.n,
        refined=sum(part.refined for part in parts),
        level=level,
        seed=goals.seed,
        tagged=event,
    )


class _Counts(NamedTuple):
    optimal: NDArray[np.int64]
    near: NDArray[np.int64]
    refined: int
    event: EventSums | None


@dataclass(frozen=True, eq=False)
class _Work:
    """What is done with a piece of the blocks; a class, so that it can travel to other machines."""

    plan: SolverPlan
    goals: GoalBlocks
    tagged: NDArray[np.bool_] | None

    def __call__(self, blocks: range) -> _Counts:
        parts = list(self._parts(blocks))
        events = [part.event for part in parts if part.event is not None]
        return _Counts(
            np.sum([part.optimal for part in parts], axis=0),
            np.sum([part.near for part in parts], axis=0),
            sum(part.refined for part in parts),
            joined_events(events) if events else None,
        )

    def _parts(self, blocks: range) -> Iterator[_Counts]:
        for number in blocks:
            rewards = self.goals.block(number)
            yield self._exact(rewards) if self.tagged is not None else self._batched(rewards)

    def _batched(self, rewards: NDArray[np.float64]) -> _Counts:
        plan, lanes = self.plan, len(rewards)
        reward = np.zeros((plan.n_states, LANES), plan.dtype)
        reward[:, :lanes] = (
            scaled_rewards(plan.mdp, rewards).reward.reshape(lanes, -1).T[plan.order]
        )
        found = count_optimal(plan, solve_block(plan, reward), tie=tie_of(plan.discount))
        if found.near.any():
            return self._exact(rewards)
        # For the goals that fill up the last block, which pay nothing, everything is optimal.
        return _Counts(found.optimal - (LANES - lanes) * plan.allowed, found.near, 0, None)

    def _exact(self, rewards: NDArray[np.float64]) -> _Counts:
        plan = self.plan
        found = optimal_actions(plan.mdp, rewards, discount=plan.discount, allowed=plan.allowed)
        event = None
        if self.tagged is not None:
            event = event_sums(plan, rewards, found, self.tagged)
        optimal, near = (flags.sum(axis=0, dtype=np.int64) for flags in found)
        return _Counts(optimal, near, 0 if self.tagged is not None else len(rewards), event)


def _intervals(
    counts: NDArray[np.int64], near: NDArray[np.int64], n: int, level: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """[S, A] twice: as `statistics.clopper_pearson`, for all actions at once."""
    tail = tail_probability(level)
    possible = counts + near
    low = special.betaincinv(np.maximum(counts, 1), n - counts + 1, tail)
    high = special.betaincinv(possible + 1, np.maximum(n - possible, 1), 1 - tail)
    return np.where(counts > 0, low, 0.0), np.where(possible < n, high, 1.0)
