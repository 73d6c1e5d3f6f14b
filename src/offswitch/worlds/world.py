"""The one declaration from which a world's decision process, environment and simulator come.

A world is a frozen dataclass: its fields are its parameters, `condition` the cell of the factorial,
`discount` the discount of its tasks. `step` is a pure function of state and action that lists every
branch with its probability and its events; nothing else defines the dynamics.
"""

from __future__ import annotations

import abc
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, NamedTuple, Self, TypeVar

from offswitch.errors import WorldError, nearest_name
from offswitch.trace.event import Ended, Event
from offswitch.worlds.condition import Condition
from offswitch.worlds.goal import Goal

__all__ = ["Branch", "World"]

State = TypeVar("State", bound=Hashable)


class Branch(NamedTuple, Generic[State]):
    """One thing that can happen after an action."""

    probability: float
    """In (0, 1]; the branches of a state and action sum to 1."""
    state: State
    events: tuple[Event, ...] = ()
    """What happens on the way, in order, with `step` left at 0: whoever records fills it in."""


@dataclass(frozen=True)
class World(abc.ABC, Generic[State]):
    """A provoking world. `State` is hashable, and small enough in number to enumerate.

    Every concrete world's docstring has: Tests, Conditions, Score, CAVEAT, Source.
    """

    condition: Condition = Condition()
    """The cell of the factorial this world is set up in."""

    id: ClassVar[str]
    """Such as 'coffee-corridor-v1'."""
    summary: ClassVar[str]
    """One line for `offswitch list worlds`."""
    caveat: ClassVar[str]
    """How a score from this world can be fooled."""
    source: ClassVar[str]
    """The published origin."""
    actions: ClassVar[tuple[str, ...]]
    """Action names. The least intrusive comes first: ties are broken toward the lower index."""
    roles: ClassVar[Mapping[str, str]]
    """Role -> action name, for the roles this world has among: wait, comply, stop, disable, copy,
    provoke, misreport, ask, relapse, raise-concern, and stall (which lets a step of an order pass
    and does nothing else to it; where there is none, to wait)."""
    threats: ClassVar[tuple[str, ...]]
    """The threat levels that this world stages, its headline first (without 'none', 'inert')."""
    levels: ClassVar[Mapping[str, tuple[str, ...]]] = {}
    """Levels this world stages of the factors beyond threat, observed and noise."""
    knobs: ClassVar[Mapping[str, tuple[float, float]]]
    """Real-valued fields that `explain` may turn, with the range in which they make sense."""

    held_out: ClassVar[Mapping[str, Any]] = {}  # Any: each world's own fields
    """Parameters of the held-out version, which nobody tunes an agent or a countermeasure on."""
    battery: ClassVar[bool] = False
    """Whether it keeps the common skeleton: every factor and kind of goal, and long versions by a
    field `stretch`, rounds of `span` steps in an episode."""

    lacks: ClassVar[Mapping[str, str]] = {}
    """Part of the common skeleton (`offswitch.worlds.skeleton`) -> why it is not staged here."""

    @property
    @abc.abstractmethod
    def discount(self) -> float:
        """Discount of the world's tasks, in (0, 1); concrete worlds make it a field."""

    @property
    @abc.abstractmethod
    def horizon(self) -> int:
        """Steps after which an episode is cut off (out of time)."""

    @property
    @abc.abstractmethod
    def goals(self) -> tuple[Goal, ...]:
        """At least 8 final goals; the first is the default."""

    @property
    @abc.abstractmethod
    def observation_sizes(self) -> tuple[int, ...]:
        """Number of values of each observation entry, the same in every condition."""

    @abc.abstractmethod
    def starts(self) -> Sequence[tuple[float, State]]:
        """Initial states with their probabilities."""

    @abc.abstractmethod
    def step(self, state: State, action: int) -> Sequence[Branch[State]]:
        """Every branch of taking `action` in a state that is not an ending."""

    @abc.abstractmethod
    def observe(self, state: State) -> tuple[int, ...]:
        """What the agent sees, entry i in range(observation_sizes[i])."""

    @abc.abstractmethod
    def ending(self, state: State) -> Ended | None:
        """The event with which the episode ends in `state`; None where it goes on."""

    def cut_off(self, state: State) -> Ended:
        """The event with which an episode is cut off at the horizon in `state`."""
        return Ended(reason="out_of_time", safe=self.is_safe(state), actor="environment")

    def unstopped(self, state: State) -> State | None:
        """`state` as it would be had no stop been ordered or taken effect; None if undefined."""
        return None

    def is_safe(self, state: State) -> bool:
        """Whether the world may be left in `state` (default: every state is safe)."""
        return True

    def order_pending(self, state: State) -> int | None:
        """Steps the agent still has to comply with an outstanding order; None without an order."""
        return None

    def concern_pending(self, state: State) -> bool:
        """Whether something is wrong that an honest agent reports: a forged order, say."""
        return False

    @property
    def performance(self) -> Goal | None:
        """What the designers want of the default goal, never shown to the agent; None: the same."""
        return None

    def executed(self, state: State, action: int) -> int:
        """The action executed when the agent intends `action`; an override may replace it."""
        return action

    def planning_model(self) -> Self:
        """The world as its agents plan for it (an override leaves interruptions out)."""
        return self

    def goal(self, name: str | None = None) -> Goal:
        """The goal called `name`, or the default goal."""
        if name is None:
            return self.goals[0]
        if not isinstance(name, str):
            raise WorldError(f"{self.id}: goal is {name!r}, expected the name of a goal")
        for goal in self.goals:
            if goal.name == name:
                return goal
        known = [goal.name for goal in self.goals]
        message = nearest_name(name, known, kind="goal", lister=f"offswitch list goals {self.id}")
        raise WorldError(f"{self.id}: {message}")

    def role(self, name: str) -> int | None:
        """Index of the action that plays role `name`; None where this world has none."""
        action = self.roles.get(name)
        return None if action is None else self.actions.index(action)

    def validate_condition(self) -> None:
        """Refuse a condition that this world does not stage; concrete worlds call it when made.

        Raises:
            WorldError: names every factor whose level this world does not stage.
        """
        default = Condition()
        problems = []
        if self.condition.threat not in ("none", "inert", *self.threats):
            staged = ", ".join(("none", "inert", *self.threats))
            problems.append(f"threat={self.condition.threat!r}; it stages {staged}")
        for factor in ("window", "necessity", "permission", "conflict", "autonomy", "scarcity"):
            level = getattr(self.condition, factor)
            staged_levels = self.levels.get(factor, ())
            if level != getattr(default, factor) and level not in staged_levels:
                options = ", ".join((getattr(default, factor), *staged_levels))
                problems.append(f"{factor}={level!r}; it stages {options}")
        if problems:
            raise WorldError(f"{self.id} does not stage " + "; nor ".join(problems))
