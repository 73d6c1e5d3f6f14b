"""The last resort for rewards that fast sweeps did not settle: float64, then doubled precision."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from offswitch.mdp.advantages import advantages
from offswitch.mdp.batched.lanes import LANES, lane_rows
from offswitch.mdp.batched.plan import SolverPlan
from offswitch.mdp.batched.stochastic_sweeps import solve_stochastic
from offswitch.mdp.certificate import residual_error
from offswitch.mdp.policy_iteration import iterate_policies
from offswitch.mdp.task import Task

__all__ = ["solve_fallback"]


def solve_fallback(
    plan: SolverPlan,
    reward: NDArray[np.floating[Any]],
    *,
    lanes: NDArray[np.int64] | None = None,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The value `[S, 64]` and certified bound `[64]` on |value - V*| of `reward [S, 64]`.

    For any process, both in internal order, float64. Solves component by component in float64;
    lanes whose certificate then exceeds the tolerance go to the policy iteration of `mdp.solve`,
    which starts from the policy found. Only the given `lanes` are certified, all without; the
    bound of the others is infinite. O(S^3) for a lane of the last kind up to 1500 states.
    """
    earned: NDArray[np.float64] = lane_rows(plan.n_states, np.float64)
    earned[:] = reward
    value = solve_stochastic(plan, earned).astype(np.float64, copy=False)
    wanted = plan.tolerance * np.abs(earned).max(axis=0)
    error: NDArray[np.float64] = np.full(LANES, np.inf)
    for lane in range(LANES) if lanes is None else lanes:
        task = _task(plan, earned[:, lane])
        high = np.ascontiguousarray(value[plan.structure.position, lane])[None]
        error[lane] = _certificate(task, high, np.zeros_like(high))
        if not error[lane] <= wanted[lane]:
            high, low, _ = iterate_policies(task, high)
            bound = _certificate(task, high, low)
            if bound <= error[lane]:
                value[:, lane], error[lane] = high[0, plan.order], bound
    return value, error


def _task(plan: SolverPlan, reward: NDArray[np.float64]) -> Task:
    mdp = plan.mdp
    original = np.ascontiguousarray(reward[plan.structure.position])
    return Task(
        row_start=mdp.row_start,
        next_state=mdp.next_state,
        probability=mdp.probability,
        allowed=plan.allowed,
        reward=original[None, :, None],
        discount=plan.discount,
    )


def _certificate(task: Task, high: NDArray[np.float64], low: NDArray[np.float64]) -> float:
    """The bound on |high - V*|: that of high + low, and what leaving low away loses."""
    error = residual_error(task, high, advantages(task, high, low))
    return float(error[0] + np.abs(low).max())
