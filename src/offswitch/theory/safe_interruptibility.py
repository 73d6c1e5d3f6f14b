"""Whether a learner that is interrupted still learns what it would have learnt undisturbed.

Orseau & Armstrong 2016. An interruption in state s takes place with probability theta(s) and makes
the interruption policy choose the executed action. With infinite exploration a tabular rule
converges to the fixed point of its expected update, which does not depend on how often states are
visited and is computed here exactly:

    q-learning   Q(s, a) = r(s, a) + gamma E max_b Q(s', b)
    sarsa        the same with the action that is executed in s', interruptions included
    safe-sarsa   the same with the action the agent would have chosen in s'
    intended     Q-learning that credits the chosen action with what the executed one did

The agent's own actions become greedy in the limit. The rule is safely interruptible (in their weak
sense) if those are then optimal in the process without interruptions.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import scipy.sparse as sp
from numpy.typing import ArrayLike, NDArray

from offswitch.errors import ModelError, nearest_name
from offswitch.mdp.action_values import action_values
from offswitch.mdp.model import FiniteMDP
from offswitch.mdp.policy import checked_policy
from offswitch.mdp.reward import checked_reward
from offswitch.mdp.solve import solve
from offswitch.theory.distribution import checked_numbers

__all__ = ["Rule", "Verdict", "interruptible", "limit_values"]

Rule = Literal["q-learning", "sarsa", "safe-sarsa", "intended"]
"""The update whose limit is asked for."""


@dataclass(frozen=True, eq=False)
class Verdict:
    """What interruptions do to the policy that a rule learns. S states."""

    safe: bool
    """Every action the interrupted learner may settle on is optimal without interruptions."""
    without: NDArray[np.bool_]
    """[S, A] actions greedy in the limit without interruptions."""
    interrupted: NDArray[np.bool_]
    """[S, A] actions greedy in the limit with them."""
    differing: NDArray[np.int64]
    """States where an action of the second is not among the first."""
    regret: NDArray[np.float64]
    """[S] most that such an action costs per use without interruptions, V* - Q*, in units of
    reward."""
    error: float
    """Bound on the error of `regret`; actions closer than this, on either side, count as tied."""


def interruptible(
    mdp: FiniteMDP,
    reward: ArrayLike,
    discount: float,
    interruption: tuple[ArrayLike, ArrayLike],
    rule: Rule,
    *,
    tolerance: float = 1e-8,
) -> Verdict:
    """Whether `rule` is safely interruptible under one scheme of interruptions.

    `reward` is one goal, `[S]` or `[1, S, A]`; `interruption` is (theta `[S]` in [0, 1], policy
    `[S, A]`): the probability of being interrupted in each state, and what is then done. Two
    optimal solves.

    >>> road = FiniteMDP.from_coo(
    ...     2, 2, [(0, 0, 1, 1), (0, 1, 0, 1), (1, 0, 1, 1), (1, 1, 0, 1)]
    ... )
    >>> pay, pull_back = [[[0.0, 0.8], [1.0, -2.0]]], ([0.0, 0.5], [[0, 1], [0, 1]])
    >>> [interruptible(road, pay, 0.9, pull_back, rule).safe for rule in ("q-learning", "sarsa")]
    [True, False]

    Raises:
        ModelError: an argument is malformed, or the rule unknown.
    """
    never = (np.zeros(mdp.n_states), interruption[1])
    plain, plain_error = limit_values(mdp, reward, discount, never, rule, tolerance=tolerance)
    pressed, error = limit_values(mdp, reward, discount, interruption, rule, tolerance=tolerance)
    tie = 2 * (plain_error + error)
    best = plain.max(axis=1, keepdims=True)
    without = plain >= best - tie
    greedy = pressed >= pressed.max(axis=1, keepdims=True) - tie
    loss = np.where(greedy, best - plain, 0.0)
    differing = np.flatnonzero((greedy & ~without).any(axis=1))
    return Verdict(
        safe=not len(differing),
        without=without,
        interrupted=greedy,
        differing=differing,
        regret=loss.max(axis=1),
        error=tie,
    )


def limit_values(
    mdp: FiniteMDP,
    reward: ArrayLike,
    discount: float,
    interruption: tuple[ArrayLike, ArrayLike],
    rule: Rule,
    *,
    tolerance: float = 1e-8,
) -> tuple[NDArray[np.float64], float]:
    """([S, A] the values `rule` converges to, -inf where unavailable; bound on their error).

    Arguments as in `interruptible`. Where the next action may be an interruption, the values are
    those of a process in which the interruption is part of what every action does.

    Raises:
        ModelError: an argument is malformed, or the rule unknown.
    """
    if rule not in get_args(Rule):
        raise ModelError(nearest_name(rule, get_args(Rule), kind="rule", lister="get_args(Rule)"))
    earned = checked_reward(mdp, reward)
    if len(earned) > 1:
        raise ModelError(f"reward holds {len(earned)} goals, expected one: [S] or [1, S, A]")
    full = np.where(mdp.available, earned[0], 0.0)
    theta, forced = _checked_interruption(mdp, interruption)
    credited = mdp, full
    if rule in ("sarsa", "intended"):
        credited = _interrupted(mdp, full, theta, forced)
    found = solve(credited[0], credited[1][None], discount, tolerance=tolerance)
    process, pay = credited if rule == "intended" else (mdp, full)
    values = action_values(process, pay[None], found.value, discount)[0]
    rounding = 8 * np.finfo(np.float64).eps * float(np.abs(found.value).max() + np.abs(pay).max())
    return values, float(found.error[0]) + rounding


def _interrupted(
    mdp: FiniteMDP,
    reward: NDArray[np.float64],
    theta: NDArray[np.float64],
    forced: NDArray[np.float64],
) -> tuple[FiniteMDP, NDArray[np.float64]]:
    """The process in which every action is replaced by the interruption's with probability theta.

    Its optimal values are V(s) = (1 - theta) max_a Q(s, a) + theta E_forced Q(s, .), the expected
    target of Sarsa whose own actions are greedy.
    """
    S, A = mdp.n_states, mdp.n_actions
    away = sp.csr_array(
        (forced.ravel(), np.arange(S * A), np.arange(0, S * A + 1, A)), shape=(S, S * A)
    )
    state = np.repeat(np.arange(S), A)
    own = sp.diags_array(1 - theta[state]) @ mdp.matrix
    mixed = sp.coo_array(own + sp.diags_array(theta[state]) @ (away @ mdp.matrix)[state])
    kept = mdp.available.ravel()[mixed.row]
    rows = np.column_stack([mixed.row // A, mixed.row % A, mixed.col, mixed.data])[kept]
    process = FiniteMDP.from_coo(S, A, rows, start=mdp.start)
    pay = (1 - theta)[:, None] * reward + (theta * (forced * reward).sum(axis=1))[:, None]
    return process, np.where(mdp.available, pay, 0.0)


def _checked_interruption(
    mdp: FiniteMDP, interruption: tuple[ArrayLike, ArrayLike]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    theta = checked_numbers("interruption theta", interruption[0], (mdp.n_states,))
    if not ((theta >= 0) & (theta <= 1)).all():
        wrong = int(np.flatnonzero(~((theta >= 0) & (theta <= 1)))[0])
        raise ModelError(
            f"interruption theta[{wrong}] (state {mdp.state_names[wrong]!r}) is {theta[wrong]:g}, "
            "expected a probability in [0, 1]"
        )
    return theta, checked_policy(mdp, interruption[1])
