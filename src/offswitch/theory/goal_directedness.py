"""Maximum-entropy goal-directedness (MEG): how well a utility predicts what an agent does.

MacDermott, Fox, Belardinelli & Everitt 2024 (arXiv 2412.04758), Defs 3.1-3.2, Algs 1-2: compare
the policy with the most random one that earns as much. In a process of H steps that one is
soft-optimal, pi_beta(a | s) proportional to exp(beta Q), for the beta that matches the expected
utility; it may be negative, for an agent that avoids it. With the soft value

    V(s) = log mean_a exp(beta r(s, a) + E V(s'))

the measure is a Legendre transform, in nats,

    MEG = max_beta [ beta E_pi[U] - E V(s_0) ],

concave in beta and 0 at beta = 0. It lies between 0 and the expected sum over steps of the log
number of available actions.

Randomness is counted relative to choosing uniformly among the *available* actions. Where every
state has as many of them this is the paper's entropy; where not, more options are no goal here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import brentq, minimize

from offswitch.mdp.action_values import action_values
from offswitch.mdp.discount import checked_horizon
from offswitch.mdp.model import FiniteMDP
from offswitch.mdp.policy import checked_policy, policy_chain
from offswitch.mdp.reward import checked_reward
from offswitch.theory.distribution import checked_numbers

__all__ = [
    "FeatureGoal",
    "GoalDirectedness",
    "goal_directedness",
    "goal_directedness_over_features",
]

LARGEST_BETA = 2.0**20
"""In units of one over the range of the reward. What a sharper policy would add is below the
rounding unless two actions differ by less than some 1e-5 of that range."""
LARGEST_WEIGHT = 50.0
"""Bound on each feature's weight, in units of one over its range, in nats."""


@dataclass(frozen=True, eq=False)
class GoalDirectedness:
    """How goal-directed a policy is towards each of K utilities."""

    nats: NDArray[np.float64]
    """[K] MEG, at least 0 and at most `most`."""
    beta: NDArray[np.float64]
    """[K] the fitted rationality, in nats per unit of utility; negative where the agent avoids it,
    0 where no utility predicts it. Of an optimum without ties it is as large as was tried."""
    most: float
    """Expected sum of the log number of available actions: MEG of a deterministic choice that the
    utility predicts fully."""
    best: int
    """The utility with the largest MEG; their maximum is the MEG of the set."""


@dataclass(frozen=True, eq=False)
class FeatureGoal:
    """The linear combination of features that predicts a policy best."""

    nats: float
    """MEG with respect to all such combinations, to the accuracy of the ascent (1e-6)."""
    weights: NDArray[np.float64]
    """[F] the combination, in nats per unit of feature."""
    most: float
    """As in `GoalDirectedness`."""


class _Task(NamedTuple):
    mdp: FiniteMDP
    policy: NDArray[np.float64]
    horizon: int


def goal_directedness(
    mdp: FiniteMDP, policy: ArrayLike, rewards: ArrayLike, horizon: int
) -> GoalDirectedness:
    """MEG of `policy [S, A]` over `horizon` undiscounted steps, for known utilities.

    `rewards` is `[S]`, `[K, S]` or `[K, S, A]`; a utility is its sum over the steps. It does not
    change under U -> a U + b, a not 0. One-dimensional root finding in beta, some 30 soft value
    iterations for each utility.

    >>> bandit = FiniteMDP.from_coo(1, 2, [(0, 0, 0, 1.0), (0, 1, 0, 1.0)])
    >>> found = goal_directedness(bandit, [[0.8, 0.2]], [[[1.0, 0.0]]], 1)
    >>> round(float(found.nats[0]), 6), round(float(found.beta[0]), 6)
    (0.192745, 1.386294)

    Raises:
        ModelError: policy, rewards or horizon is malformed.
    """
    task = _Task(mdp, checked_policy(mdp, policy), checked_horizon(horizon))
    given = checked_reward(mdp, rewards)
    earned = np.where(mdp.available, given, 0.0)
    fits = [_fit(task, reward) for reward in earned]
    nats = np.array([value for value, _ in fits])
    return GoalDirectedness(
        nats=nats,
        beta=np.array([beta for _, beta in fits]),
        most=_expected(task, _log_options(mdp)),
        best=int(nats.argmax()),
    )


def goal_directedness_over_features(
    mdp: FiniteMDP, policy: ArrayLike, features: ArrayLike, horizon: int
) -> FeatureGoal:
    """MEG of `policy [S, A]` over all utilities that are linear in `features [S, F]`.

    Alg. 2 with a linear family: the objective is concave in the weights and its gradient is the
    difference in expected features, so quasi-Newton ascent finds the maximum. Weights are held
    within 50 nats of each feature's range, where a deterministic policy is predicted to e^-50.

    Raises:
        ModelError: policy, features or horizon is malformed.
    """
    task = _Task(mdp, checked_policy(mdp, policy), checked_horizon(horizon))
    given = checked_numbers("features", features, (mdp.n_states, None))
    spread = np.ptp(given, axis=0)
    scaled = (given - given.min(axis=0)) / np.where(spread > 0, spread, 1.0)
    target = np.array([_expected(task, column[:, None]) for column in scaled.T])

    def loss(weights: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        value, soft = _soften(task, (scaled @ weights)[:, None])
        attained = np.array([_follow(task, soft, column[:, None]) for column in scaled.T])
        return value - float(weights @ target), attained - target

    found = minimize(
        loss,
        np.zeros(len(spread)),
        jac=True,
        method="L-BFGS-B",
        bounds=[(-LARGEST_WEIGHT, LARGEST_WEIGHT)] * len(spread),
        options={"ftol": 1e-12, "gtol": 1e-9},
    )
    weights: NDArray[np.float64] = found.x / np.where(spread > 0, spread, 1.0)
    return FeatureGoal(max(-float(found.fun), 0.0), weights, _expected(task, _log_options(mdp)))


def _fit(task: _Task, reward: NDArray[np.float64]) -> tuple[float, float]:
    """(MEG, beta) for one utility `reward [S, A]`."""
    paid = reward[task.mdp.available]
    spread = float(np.ptp(paid))
    if spread == 0:
        return 0.0, 0.0
    # To [0, 1]: MEG is unchanged and beta has no unit while it is sought.
    unit = np.where(task.mdp.available, (reward - paid.min()) / spread, 0.0)
    target = _expected(task, unit)

    def short(beta: float) -> float:
        return target - _follow(task, _soften(task, beta * unit)[1], unit)

    slack = 1e-13 * max(task.horizon, 1)
    start = short(0.0)
    if abs(start) <= slack:
        return 0.0, 0.0
    sign = 1.0 if start > 0 else -1.0
    edge = sign
    while sign * short(edge) > slack and abs(edge) < LARGEST_BETA:
        edge *= 2
    beta = brentq(short, 0.0, edge, xtol=1e-12) if sign * short(edge) < 0 else edge
    value, _ = _soften(task, beta * unit)
    return max(beta * target - value, 0.0), beta / spread


def _soften(task: _Task, reward: NDArray[np.float64]) -> tuple[float, list[NDArray[np.float64]]]:
    """E V(s_0) of soft value iteration, and the soft-optimal policies `[S, A]` of each step."""
    mdp = task.mdp
    full = np.broadcast_to(reward, (mdp.n_states, mdp.n_actions))[None]
    options = mdp.available.sum(axis=1, keepdims=True)
    value = np.zeros(mdp.n_states)
    policies = []
    for _ in range(task.horizon):
        worth = action_values(mdp, full, value[None], 1.0)[0]
        top = worth.max(axis=1, keepdims=True)
        share = np.exp(worth - top)
        total = share.sum(axis=1, keepdims=True)
        value = (top + np.log(total / options))[:, 0]
        policies.append(share / total)
    return float(mdp.start @ value), policies[::-1]


def _follow(task: _Task, policies: list[NDArray[np.float64]], reward: NDArray[np.float64]) -> float:
    """The expected sum of `reward` under a policy for each step."""
    value = np.zeros(task.mdp.n_states)
    for policy in reversed(policies):
        value = (policy * reward).sum(axis=1) + policy_chain(task.mdp, policy) @ value
    return float(task.mdp.start @ value)


def _expected(task: _Task, reward: NDArray[np.float64]) -> float:
    return _follow(task, [task.policy] * task.horizon, reward)


def _log_options(mdp: FiniteMDP) -> NDArray[np.float64]:
    """[S, 1] log number of available actions."""
    options: NDArray[np.float64] = np.log(mdp.available.sum(axis=1, keepdims=True))
    return options
