"""What every goal says of several acts, from one optimal solve and one more for each act.

The batched form of `instrumental_value` and `optimal_share`, for rewards of states: the free solve
is shared by all acts, and memory does not grow with the number of goals.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from offswitch.mdp.batched.block import Block, solve_block
from offswitch.mdp.batched.executor import Executor, fold_blocks
from offswitch.mdp.batched.lanes import LANES
from offswitch.mdp.batched.plan import SolverPlan, plan_solver
from offswitch.mdp.discount import checked_discount
from offswitch.mdp.model import FiniteMDP
from offswitch.theory.avoidance import avoiding_actions
from offswitch.theory.reward_units import scaled_rewards, tie_of
from offswitch.theory.sampling.goal_blocks import GoalBlocks

__all__ = ["GoalAnswers", "Weighed", "ask_goals"]

SOLVER_SHARE = 2.0**-6
"""The solver's tolerance as a share of a tie."""


class Weighed(NamedTuple):
    """An act and the act it is weighed against, in one state."""

    state: int
    action: int
    other: int


class GoalAnswers(NamedTuple):
    """C comparisons, T sets of tagged acts, n goals; in units of each goal's range of rewards."""

    gain: NDArray[np.float64]
    """[C, n] Q*(state, action) - Q*(state, other)."""
    gain_error: NDArray[np.float64]
    """[n] certified bound on the error of every gain."""
    fall: NDArray[np.float64]
    """[T, n] by how much the optimum from the start falls without the tagged acts; infinite where
    the start forces one."""
    fall_error: NDArray[np.float64]
    """[T, n] certified bound."""


def ask_goals(
    mdp: FiniteMDP,
    goals: GoalBlocks,
    weighed: Sequence[Weighed],
    tagged: Sequence[NDArray[np.bool_]],
    *,
    discount: float,
    executor: Executor = Executor(),  # noqa: B008 - frozen
    progress: Callable[[int], None] | None = None,
) -> GoalAnswers:
    """The gains of `weighed` acts, and the falls without each set of `tagged [S, A]` acts.

    One batched optimal solve per goal, and one per goal and set; memory O(S) for each worker.
    `progress` is told how many goals have answered. With it an interrupt (Ctrl-C) ends the asking
    with the goals that have: who was not told of all of them knows that some are missing.

    >>> from offswitch.theory.sampling.goal_blocks import goal_blocks
    >>> fork = FiniteMDP.from_coo(
    ...     3, 2, [(0, 0, 1, 1), (0, 1, 2, 1), (1, 0, 1, 1), (2, 0, 2, 1)]
    ... )
    >>> goals = goal_blocks(fork, [[0, 0.25, 1.0]], None, 0)
    >>> found = ask_goals(fork, goals, [Weighed(0, 1, 0)], [], discount=0.5)
    >>> found.gain.round(6).tolist()
    [[0.75]]

    Raises:
        ModelError: the discount is not in (0, 1), or float64 cannot certify the values.
        KeyboardInterrupt: it was interrupted before any goal had answered, after the last one, or
            where nobody is told how many have.
    """
    tolerance = SOLVER_SHARE * tie_of(checked_discount(discount))
    masks = [_mask(mdp, tags) for tags in tagged]
    work = _Work(
        goals=goals,
        free=plan_solver(mdp, discount, tolerance=tolerance),
        bound=tuple(
            None if mask is None else plan_solver(mdp, discount, tolerance=tolerance, allowed=mask)
            for mask in masks
        ),
        weighed=tuple(weighed),
    )
    return _joined(_answered(work, executor, progress))


def _answered(
    work: _Work, executor: Executor, progress: Callable[[int], None] | None
) -> list[GoalAnswers]:
    """The answers of every goal, or those before an interrupt that `progress` lets be seen."""
    parts: list[GoalAnswers] = []
    told = 0
    try:
        for part in fold_blocks(work, range(work.goals.n_blocks), executor=executor):
            parts.append(part)
            if progress is not None:
                progress(told + len(part.gain_error))
                told += len(part.gain_error)
    except KeyboardInterrupt:
        if progress is None or not parts or told == work.goals.n:
            raise
    return parts


def _joined(parts: Sequence[GoalAnswers]) -> GoalAnswers:
    return GoalAnswers(*(np.concatenate(column, axis=-1) for column in zip(*parts, strict=True)))


def _mask(mdp: FiniteMDP, tagged: NDArray[np.bool_]) -> NDArray[np.bool_] | None:
    """[S, A] the acts of policies that surely avoid `tagged`; None where the start forces one."""
    kept = avoiding_actions(mdp, tagged)
    forced: NDArray[np.bool_] = np.asarray(~kept.any(axis=1))
    if (forced & (mdp.start > 0)).any():
        return None
    # Kept acts never lead to forced states; the solver only wants every state to have an action.
    mask: NDArray[np.bool_] = kept | (mdp.available & forced[:, None])
    return mask


@dataclass(frozen=True, eq=False)
class _Work:
    """What is done with a piece of the blocks; a class, so that it can travel to other machines."""

    goals: GoalBlocks
    free: SolverPlan
    bound: tuple[SolverPlan | None, ...]
    weighed: tuple[Weighed, ...]

    def __call__(self, blocks: range) -> GoalAnswers:
        return _joined([self._block(self.goals.block(number)) for number in blocks])

    def _block(self, rewards: NDArray[np.float64]) -> GoalAnswers:
        lanes, mdp = len(rewards), self.free.mdp
        scaled = scaled_rewards(mdp, rewards).reward.reshape(lanes, -1)
        found = _solved(self.free, scaled)
        best, error = _at_start(self.free, found)
        gain = np.array([self._gain(found, one) for one in self.weighed])
        fall, fall_error = np.full((2, len(self.bound), LANES), np.inf)
        fall_error[:] = 0.0
        for row, plan in enumerate(self.bound):
            if plan is not None:
                without, more = _at_start(plan, _solved(plan, scaled))
                fall[row], fall_error[row] = best - without, error + more
        rounding = (int(np.diff(mdp.row_start).max()) + 4) * np.finfo(np.float64).eps
        size = np.abs(found.value).max(axis=0)
        gain_error = 2 * self.free.discount * (found.error * (1 + 1e-8) + rounding * size)
        return GoalAnswers(
            gain.reshape(len(self.weighed), LANES)[:, :lanes],
            gain_error[:lanes],
            fall[:, :lanes],
            fall_error[:, :lanes],
        )

    def _gain(self, found: Block, one: Weighed) -> NDArray[np.float64]:
        """[64] the reward of the state cancels."""
        first, second = (
            _expected(self.free, found, one.state, action) for action in (one.action, one.other)
        )
        return self.free.discount * (first - second)


def _solved(plan: SolverPlan, rewards: NDArray[np.float64]) -> Block:
    reward = np.zeros((plan.n_states, LANES), plan.dtype)
    reward[:, : len(rewards)] = rewards.T[plan.order]
    return solve_block(plan, reward)


def _at_start(plan: SolverPlan, found: Block) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """[64] the optimum from the start, and a bound on its error."""
    weights = plan.mdp.start[plan.order]
    first = np.flatnonzero(weights)
    value = weights[first] @ found.value[first].astype(np.float64)
    rounding = (len(first) + 4) * np.finfo(np.float64).eps * np.abs(found.value).max(axis=0)
    # The start may sum to 1 within 1e-9.
    return value, found.error * (1 + 1e-8) + rounding


def _expected(plan: SolverPlan, found: Block, state: int, action: int) -> NDArray[np.float64]:
    """[64] the expected value after the act."""
    following, chance = plan.mdp.successors(state, action)
    position = np.empty(plan.n_states, dtype=np.int64)
    position[plan.order] = np.arange(plan.n_states)
    expected: NDArray[np.float64] = chance @ found.value[position[following]].astype(np.float64)
    return expected
