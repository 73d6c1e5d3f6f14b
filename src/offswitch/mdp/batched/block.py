"""Optimal values of one process for 64 rewards at once, certified.

The block of 64 consecutive samples is always solved whole, so that a value depends on its rewards
alone, never on how many samples or workers there are.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from offswitch.errors import ModelError
from offswitch.mdp.batched.block_certificate import block_error
from offswitch.mdp.batched.dense_sweeps import solve_dense
from offswitch.mdp.batched.deterministic_sweeps import rise_to_optimum
from offswitch.mdp.batched.fallback import solve_fallback
from offswitch.mdp.batched.howard import iterate_routes
from offswitch.mdp.batched.lanes import LANES, lane_rows
from offswitch.mdp.batched.plan import SolverPlan
from offswitch.mdp.batched.short_cycles import start_from_below
from offswitch.mdp.batched.stochastic_sweeps import solve_stochastic

__all__ = ["Block", "most_work", "refine_block", "solve_block", "start_factors", "sweep_numbers"]

MOST_SWEEPS = 100
"""Where optimal routes end in short cycles 10 to 30 do. Beyond, exact policy iteration from what
the sweeps have found, one sample at a time, is the cheaper way."""


class Block(NamedTuple):
    """64 samples, in internal order: row i belongs to state `plan.order[i]`. S states."""

    reward: NDArray[Any]  # Any: either precision
    """[S, 64] in the precision of the plan."""
    value: NDArray[Any]
    """[S, 64] V(s) = r(s) + gamma max_a E V, in the precision of the plan."""
    error: NDArray[np.float64]
    """[64] certified bound on |value - V*| in every state, in units of reward."""


def solve_block(plan: SolverPlan, reward: NDArray[Any]) -> Block:  # Any: either precision
    """The optimal values of 64 rewards, each within `plan.tolerance` of its largest |reward|.

    `reward` is `[S, 64]` in internal order and the plan's precision. A sample that its sweeps do
    not settle, long cycles at a high discount among them, goes to exact policy iteration and then
    to `mdp.solve`.

    >>> from offswitch.mdp.batched.plan import plan_solver
    >>> from offswitch.mdp.model import FiniteMDP
    >>> loop = FiniteMDP.from_coo(1, 1, [(0, 0, 0, 1.0)])
    >>> plan = plan_solver(loop, 0.5, tolerance=1e-5)
    >>> solve_block(plan, np.ones((1, 64), plan.dtype)).value[0, :3].tolist()
    [2.0, 2.0, 2.0]

    Raises:
        ModelError: the reward is malformed or too large, or float64 cannot certify the tolerance.
    """
    _check_reward(plan, reward)
    if plan.structure.deterministic:
        value = _swept(plan, reward)
    elif plan.method == "dense products":
        value = solve_dense(plan, reward)
    else:
        value = solve_stochastic(plan, reward)
    return refine_block(plan, reward, value)


def refine_block(plan: SolverPlan, reward: NDArray[Any], value: NDArray[Any]) -> Block:  # as above
    """The block with every sample within the tolerance, given a guess `value [S, 64]`.

    Overwrites `value` where the guess is not good enough.

    Raises:
        ModelError: float64 cannot certify the tolerance.
    """
    wanted = plan.tolerance * np.maximum(
        reward.max(axis=0).astype(np.float64), -reward.min(axis=0).astype(np.float64)
    )
    error = block_error(plan, reward, value)
    if plan.structure.deterministic and not (error <= wanted).all():
        _follow_routes(plan, reward, value, np.flatnonzero(~(error <= wanted)))
        error = block_error(plan, reward, value)
    if not (error <= wanted).all():
        pending = np.flatnonzero(~(error <= wanted))
        exact, bound = solve_fallback(plan, reward, lanes=pending)
        for lane in pending:
            value[:, lane] = exact[:, lane]
            lost = np.abs(value[:, lane].astype(np.float64) - exact[:, lane]).max()
            error[lane] = (bound[lane] + lost) * (1 + 2.0**-50)
    _check_certified(plan, error, wanted)
    return Block(reward=reward, value=value, error=error)


def start_factors(plan: SolverPlan) -> tuple[Any, Any, Any]:  # Any: the plan's precision
    """gamma, 1 / (1 - gamma) and 1 / (1 - gamma^2), as `start_from_below` takes them."""
    gamma, number = plan.discount, plan.dtype.type
    return number(gamma), number(1 / (1 - gamma)), number(1 / ((1 - gamma) * (1 + gamma)))


def sweep_numbers(plan: SolverPlan) -> tuple[Any, Any]:  # Any: the plan's precision
    """gamma and the unit roundoff, as `rise_to_optimum` takes them."""
    number = plan.dtype.type
    return number(plan.discount), number(np.finfo(plan.dtype).eps / 2)


def most_work(plan: SolverPlan) -> tuple[int, int]:
    """The largest numbers of sweeps and of updated rows of a block."""
    return MOST_SWEEPS, min(MOST_SWEEPS * plan.n_states, 2**32 - 2 * plan.n_states)


def _swept(plan: SolverPlan, reward: NDArray[Any]) -> NDArray[Any]:  # Any: either precision
    value = lane_rows(plan.n_states, plan.dtype)
    best = lane_rows(1, plan.dtype)[0]
    ticks = np.empty(2 * plan.n_states, np.uint32)
    flat = reward.reshape(-1), value.reshape(-1)
    start_from_below(plan.cycles, *flat, start_factors(plan), best)
    rise_to_optimum(plan.table, *flat, sweep_numbers(plan), most_work(plan), best, ticks)
    return value


def _follow_routes(
    plan: SolverPlan, reward: NDArray[Any], value: NDArray[Any], lanes: NDArray[np.int64]
) -> None:  # Any: either precision
    structure = plan.structure
    assert plan.cycles is not None
    for lane in lanes:
        earned, worth = reward[:, lane].astype(np.float64), value[:, lane].astype(np.float64)
        moves = structure.move_start, structure.next_state
        iterate_routes(*moves, plan.cycles.stays, earned, worth, plan.discount)
        value[:, lane] = worth


def _check_reward(plan: SolverPlan, reward: NDArray[Any]) -> None:  # Any: whatever was given
    shape = (plan.n_states, LANES)
    if reward.shape != shape or reward.dtype != plan.dtype or not reward.flags.c_contiguous:
        raise ModelError(
            f"reward has shape {reward.shape} of {reward.dtype}, expected [S, 64] = {list(shape)} "
            f"of {plan.dtype}, C-contiguous, in the plan's order"
        )
    # Products of values must stay clear of the largest number of the precision.
    most = float(np.finfo(plan.dtype).max) ** 0.75 * (1 - plan.discount)
    low, high = float(reward.min()), float(reward.max())
    if not (-most <= low <= high <= most):  # also refuses NaN
        raise ModelError(
            f"rewards lie in [{low}, {high}], expected finite numbers up to {most:.1g} in size"
        )


def _check_certified(
    plan: SolverPlan, error: NDArray[np.float64], wanted: NDArray[np.float64]
) -> None:
    worst = int(np.argmax(np.where(np.isnan(error), np.inf, error) - wanted))
    if error[worst] <= wanted[worst]:
        return
    raise ModelError(
        f"sample {worst} of a block is certified to within {error[worst]:.3g}, expected "
        f"{wanted[worst]:.3g}: {plan.dtype} carries no more at discount {plan.discount!r}. Pass a "
        f"tolerance of {2 * plan.tolerance * error[worst] / wanted[worst]:.1g} or more, or lower "
        "the discount."
    )
