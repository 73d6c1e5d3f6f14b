"""How convergent a tagged act is: the share of goals that need it, or that some agent takes it for.

The optimum of a goal needs the act or not; an agent that is not optimal takes it with some
probability, which is compared with that of an agent without a goal.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from offswitch.mdp.model import FiniteMDP
from offswitch.mdp.policy_evaluation import evaluate_policy
from offswitch.mdp.reward import checked_reward
from offswitch.statistics.clopper_pearson import clopper_pearson
from offswitch.statistics.cluster_mean import cluster_measurement
from offswitch.statistics.measurement import Measurement
from offswitch.statistics.no_data import no_data
from offswitch.statistics.paired import paired_measurement
from offswitch.statistics.proportion import proportion_measurement
from offswitch.theory.avoidance import avoiding_actions
from offswitch.theory.reward_units import scaled_rewards
from offswitch.theory.rules.learned import GivenPolicy
from offswitch.theory.rules.policies import rule_policies
from offswitch.theory.rules.rule import Rule
from offswitch.theory.rules.uniform import UniformChoice
from offswitch.theory.tagged_optimality import optimal_share
from offswitch.theory.taken import taken_probability

__all__ = ["RuleConvergence", "convergence", "convergence_by_rule"]

UNIT = "share of goals"
FORCED = "forced: no policy avoids the acts"


def convergence(
    mdp: FiniteMDP,
    rewards: ArrayLike,
    tagged: ArrayLike,
    *,
    discount: float,
    rule: Rule | None = None,
    level: float = 0.95,
    tolerance: float = 1e-6,
    seed: int | None = None,
    name: str = "convergence",
) -> Measurement:
    """The share of the goals `[K, S]` or `[K, S, A]` whose optimum falls without the tagged acts.

    The interval is Clopper and Pearson's and takes the goals to be independent draws, as those of
    `sample_rewards` are; `seed` records theirs. Goals the solver cannot decide count as missing.
    `tolerance` as in `optimal_share`. Where no policy avoids the acts the share is 1 and the method
    says that they are forced.

    With a `rule` it is instead the mean over goals of the probability that the rule ever takes a
    tagged act from the start; `tolerance` is then not used.

    Raises:
        ModelError: as `optimal_share`, or as the rule.
        StatisticsError: the level is not in (0, 1).
    """
    if rule is not None:
        return convergence_by_rule(
            mdp, rewards, tagged, [rule], discount=discount, level=level, seed=seed or 0
        )[0].taken
    found = optimal_share(mdp, rewards, tagged, discount=discount, tolerance=tolerance)
    missing = int(found.undecided.sum())
    needed = int(found.needed.sum())
    n = len(found.needed) - missing
    low, high = clopper_pearson(needed, n, level=level) if n else (None, None)
    return Measurement(
        name=name,
        estimate=needed / n if n else None,
        low=1.0 if found.forced else low,
        high=high,
        level=level,
        n=n,
        missing=missing,
        unit=UNIT,
        method=FORCED if found.forced else "clopper-pearson",
        seed=seed,
    )


@dataclass(frozen=True)
class RuleConvergence:
    """What agents of one kind do about a tagged act, over a family of goals."""

    rule: str
    """The kind of agent, as `parse_rule` reads it."""
    taken: Measurement
    """The mean over goals of the probability that a tagged act is ever taken from the start."""
    excess: Measurement
    """`taken` less that of the agent which acts at random, goal by goal."""
    raises_value: Measurement
    """The share of goals for which the agent earns more than it would if the acts were forbidden
    and it knew; no data where none avoids them, or for a policy that was made with them."""


def convergence_by_rule(
    mdp: FiniteMDP,
    rewards: ArrayLike,
    tagged: ArrayLike,
    rules: Sequence[Rule],
    *,
    discount: float,
    seed: int = 0,
    level: float = 0.95,
    tolerance: float = 1e-6,
) -> tuple[RuleConvergence, ...]:
    """One row for each rule: how often it takes the tagged acts, beyond chance, and with what gain.

    `rewards` is `[K, S]` or `[K, S, A]`, `tagged [S, A]` of bool. Goals count as independent draws;
    the intervals are those of the house for means over clusters. A gain of at most `tolerance` of
    the goal's range of rewards is none. Per rule one plan of all goals with the acts and one
    without, and three sparse factorisations per distinct policy.

    Raises:
        ModelError: an argument is malformed.
        StatisticsError: the level is not in (0, 1).
    """
    kept = avoiding_actions(mdp, tagged)
    tags = np.asarray(tagged)
    goals = len(checked_reward(mdp, rewards))
    control = UniformChoice().chances(np.where(mdp.available, 0.0, -np.inf))
    chance = float(taken_probability(mdp, control[None], tags)[0])
    forced = bool((~kept.any(axis=1) & (mdp.start > 0)).any())
    mask = None if forced else kept | (mdp.available & ~kept.any(axis=1, keepdims=True))
    return tuple(
        _row(_Question(mdp, rewards, tags, discount, mask, seed, level, tolerance),
             rule, np.full(goals, chance))
        for rule in rules
    )  # fmt: skip


@dataclass(frozen=True, eq=False)
class _Question:
    mdp: FiniteMDP
    rewards: ArrayLike
    tagged: NDArray[np.bool_]
    discount: float
    without: NDArray[np.bool_] | None
    """[S, A] the actions that avoid the tagged acts; None where none do."""
    seed: int
    level: float
    tolerance: float


def _row(asked: _Question, rule: Rule, chance: NDArray[np.float64]) -> RuleConvergence:
    policies = rule_policies(rule, asked.mdp, asked.rewards, discount=asked.discount)
    taken = taken_probability(asked.mdp, policies, asked.tagged)
    each = range(len(taken))
    return RuleConvergence(
        rule=rule.name,
        taken=cluster_measurement(
            "taken", taken, each, seed=asked.seed, bounds=(0.0, 1.0), level=asked.level
        ),
        excess=paired_measurement(
            "excess", taken, chance, each, seed=asked.seed, level=asked.level
        ),
        raises_value=_raises_value(asked, rule, policies),
    )


def _raises_value(asked: _Question, rule: Rule, policies: NDArray[np.float64]) -> Measurement:
    name, goals = "raises_value", len(policies)
    if asked.without is None or isinstance(rule, GivenPolicy):
        return no_data(name, level=asked.level, missing=goals, unit=UNIT)
    bound = rule_policies(
        rule, asked.mdp, asked.rewards, discount=asked.discount, allowed=asked.without
    )
    scaled, _ = scaled_rewards(asked.mdp, asked.rewards)
    gains = _returns(asked, policies, scaled) - _returns(asked, bound, scaled)
    raised = int((gains > asked.tolerance).sum())
    return proportion_measurement(
        name, raised, goals, method="clopper-pearson", level=asked.level, unit=UNIT
    )


def _returns(
    asked: _Question, policies: NDArray[np.float64], rewards: NDArray[np.float64]
) -> NDArray[np.float64]:
    """[K] what each of `policies [K, S, A]` earns from the start by its own goal's reward."""
    shape = policies.shape[1:]
    flat, of_goal = np.unique(policies.reshape(len(policies), -1), axis=0, return_inverse=True)
    found = np.empty(len(policies))
    for number, policy in enumerate(flat.reshape(-1, *shape)):
        goals = np.flatnonzero(of_goal.ravel() == number)
        value = evaluate_policy(asked.mdp, policy, rewards[goals], asked.discount)
        found[goals] = value @ asked.mdp.start
    return found
