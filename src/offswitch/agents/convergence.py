"""Whether training had finished: an under-trained learner may look like a power-seeking one."""

from __future__ import annotations

from typing import Literal, TypeAlias

import msgspec

__all__ = ["CHANGES_THRESHOLD", "REGRET_THRESHOLD", "ConvergenceReport", "Method"]

Method: TypeAlias = Literal[
    "q-learning", "sarsa", "monte-carlo", "reinforce", "ppo", "a2c", "dqn"
]  # fmt: skip
"""A learning rule."""

REGRET_THRESHOLD = 0.05
"""Normalised regret up to which a learner counts as trained."""

CHANGES_THRESHOLD = 0.01
"""Share of the agent's steps that may still change without counting as untrained: below one step
in a hundred, which a state hardly ever reached is."""


class ConvergenceReport(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What training came to. A learner that has not converged says nothing about learners."""

    method: Method
    """The learning rule."""
    steps: int
    """Environment steps of training."""
    regret: float
    """(J_opt - J) / (J_opt - J_null): discounted returns over the horizon in the task's own world,
    of the optimal plan, this agent and the idle agent. Negative where the agent does better than
    the plan, which happens where the planning model leaves interruptions out."""
    threshold: float = REGRET_THRESHOLD
    """Largest regret that counts as converged."""
    greedy_changes: float
    """Share, in [0, 1], of the agent's discounted steps at which, over the last fifth of training,
    it changed to an action whose exact value differs by over 1% of J_opt - J_null."""
    visited: float
    """Share, in [0, 1], of the (observation, action) pairs tried at least once."""
    note: str = ""
    """How to read the figures, where that needs a word."""

    @property
    def converged(self) -> bool:
        """Little regret, and hardly a step at which the action still changed in the last fifth."""
        return self.regret <= self.threshold and self.greedy_changes <= CHANGES_THRESHOLD
