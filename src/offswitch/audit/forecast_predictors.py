"""What theory says of a cell before any agent is run in it: what the acts of a drive are good for.

All of it is asked in the product of the world and the drive's memory, where an act that may raise
the drive's headline can be told from the same act that may not, and of the model in which the
world's agents plan.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from offswitch.audit.convergence_map_values import DriveProcess, drive_process
from offswitch.audit.sampled import seed_of
from offswitch.drives.drive import Drive
from offswitch.mdp.model import FiniteMDP
from offswitch.mdp.occupancy import occupancy
from offswitch.mdp.policy import deterministic_policy
from offswitch.mdp.policy_evaluation import evaluate_policy
from offswitch.mdp.solve import solve
from offswitch.theory.avoidance import avoiding_actions
from offswitch.theory.reward_units import scaled_rewards
from offswitch.theory.tagged_optimality import optimal_share
from offswitch.worlds.compiled import CompiledWorld, compiled_world, expected_rewards
from offswitch.worlds.goal import Goal
from offswitch.worlds.world import World

__all__ = ["Predictors", "power_gain", "predictors_of", "reach_gain", "willingness_to_pay"]

TIE = 1e-6
"""Of a goal's range of rewards: a smaller fall is none."""
SETTLED = 1e-6
"""Relative change of a price that ends its search; it stops rising after a few policies."""
MOST_POLICIES = 30


class Predictors(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The drive's acts in one cell, for one goal. All at least 0."""

    value_gap: float
    """Optimal return less the best without the acts, over what the optimum gains on waiting."""
    willingness_to_pay: float
    """The largest price of every such act at which the optimum still takes some, over the same."""
    power_gain: float
    """POWER of the start with the acts less that without; the same for every goal."""
    reach_gain: float
    """Share of the reachable states that cannot be reached without the acts, in [0, 1]."""


def predictors_of(
    world: World[Any], goals: Sequence[Goal], drive: Drive[Any], *, draws: int, seed: int
) -> tuple[Predictors | None, ...] | None:  # Any: each drive has its own memory
    """One per goal; None where no act can show `drive`. Some ten optimal solves of all goals.

    A goal's are None where the product is too large, or where every policy may take such an act.
    """
    compiled = compiled_world(world.planning_model())
    process = drive_process(compiled, drive)
    if process is None:
        return (None,) * len(goals)
    if not process.acts.any():
        return None
    mdp, discount = process.mdp, compiled.world.discount
    rng = np.random.default_rng(seed_of(seed, "power gain", world.id))
    drawn = rng.random((draws, len(compiled.states)))
    power = power_gain(process, drawn, discount=discount)
    if power is None:
        return (None,) * len(goals)
    rewards = np.stack([expected_rewards(compiled, goal)[process.state] for goal in goals])
    scaled = scaled_rewards(mdp, rewards).reward
    gap = optimal_share(mdp, scaled, process.acts, discount=discount).forgone
    gap = np.where(gap > TIE, gap, 0.0)
    price = willingness_to_pay(mdp, scaled, process.acts, gap, discount=discount)
    best = solve(mdp, scaled, discount).value @ mdp.start
    most = best - _waiting(compiled, process, scaled)
    reach = reach_gain(process)
    return tuple(
        Predictors(
            value_gap=float(gap[k] / most[k]) if gap[k] else 0.0,
            willingness_to_pay=float(price[k] / most[k]) if gap[k] else 0.0,
            power_gain=power,
            reach_gain=reach,
        )
        for k in range(len(goals))
    )


def _waiting(
    compiled: CompiledWorld, process: DriveProcess, rewards: NDArray[np.float64]
) -> NDArray[np.float64]:
    """[K] the return of waiting throughout."""
    mdp = process.mdp
    wait = deterministic_policy(mdp, np.full(mdp.n_states, compiled.world.role("wait") or 0))
    worth: NDArray[np.float64] = (
        evaluate_policy(mdp, wait, rewards, compiled.world.discount) @ mdp.start
    )
    return worth


def power_gain(
    process: DriveProcess, drawn: NDArray[np.float64], *, discount: float
) -> float | None:
    """POWER(start) with the drive's acts less that without them; None where they are forced.

    `drawn [n, S]` are rewards of the world's states, iid U(0, 1). By Turner et al. 2021, Def. 5.2
    it is (1 - gamma) / gamma times the mean fall of the optimum, for the first reward cancels.
    """
    found = optimal_share(
        process.mdp, drawn[:, process.state], process.acts, discount=discount, tolerance=1e-8
    )
    if found.forced:
        return None
    return float(max(0.0, found.forgone.mean()) * (1 - discount) / discount)


def willingness_to_pay(
    mdp: FiniteMDP,
    rewards: NDArray[np.float64],
    acts: NDArray[np.bool_],
    gap: NDArray[np.float64],
    *,
    discount: float,
) -> NDArray[np.float64]:
    """[K] the largest price per act at which the optimum still takes some of `acts [S, A]`.

    The optimum at price c is max over policies of return - c N, with N its discounted number of
    acts; it stops taking them where the gain over the best without falls to 0, so the price is the
    largest gain per act. Found by Dinkelbach 1967: each price is what the policy of the last one
    would pay, so prices rise to it. `gap [K]` is the gain at price 0, `rewards` `[K, S, A]` or
    `[K, S]`. One solve per policy.
    """
    paid = rewards if rewards.ndim == 3 else np.repeat(rewards[:, :, None], mdp.n_actions, axis=2)
    price = np.zeros(len(gap))
    open_ = np.flatnonzero(gap > 0)
    bound = solve(mdp, paid, discount).value @ mdp.start - gap
    for _ in range(MOST_POLICIES):
        if not len(open_):
            break
        asked = paid[open_] - price[open_, None, None] * acts
        actions = solve(mdp, asked, discount).action
        still = []
        for k, action in zip(open_.tolist(), actions, strict=True):
            visits = occupancy(mdp, deterministic_policy(mdp, action), discount)
            count = float(visits[acts].sum())
            gain = float((visits * paid[k]).sum()) - float(bound[k])
            if count <= 0 or gain / count <= price[k] * (1 + SETTLED):
                continue
            price[k] = gain / count
            still.append(k)
        open_ = np.array(still, dtype=np.int64)
    return price


def reach_gain(process: DriveProcess) -> float:
    """Share of the world's reachable states that are out of reach without the drive's acts."""
    with_acts = _visited(process, process.mdp.available)
    without = _visited(process, avoiding_actions(process.mdp, process.acts))
    return float(1 - len(np.intersect1d(without, with_acts)) / len(with_acts))


def _visited(process: DriveProcess, allowed: NDArray[np.bool_]) -> NDArray[np.int64]:
    """The world's states that can be reached by `allowed [N, A]` acts. O(N transitions) at most."""
    moves = process.mdp.matrix.multiply(allowed.reshape(-1, 1)).tocsr()
    reached = np.asarray(process.mdp.start > 0, dtype=np.bool_)
    frontier = np.flatnonzero(reached)
    n_actions = process.mdp.n_actions
    while len(frontier):
        rows = (frontier[:, None] * n_actions + np.arange(n_actions)).ravel()
        found = np.unique(moves[rows].nonzero()[1])
        frontier = found[~reached[found]]
        reached[frontier] = True
    return np.unique(process.state[reached])
