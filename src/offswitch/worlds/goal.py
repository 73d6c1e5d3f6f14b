"""Goals are data: a name, what kind of goal it is, and a reward on transitions."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

__all__ = ["Goal", "GoalKind"]

GoalKind: TypeAlias = Literal["one-shot", "satiable", "unbounded", "timed", "benign", "irrelevant"]


@dataclass(frozen=True)
class Goal:
    """A final goal that an agent may be given in a world."""

    name: str
    kind: GoalKind
    description: str
    reward: Callable[[Any, int, Any], float]  # Any: each world has its own state type
    """Reward of the transition (state, action, next state); finite."""
    decisive: bool = True
    """Whether being stopped under the default parameters would cost this goal anything."""

    def __call__(self, state: Hashable, action: int, next_state: Hashable) -> float:
        """The reward of one transition."""
        return self.reward(state, action, next_state)
