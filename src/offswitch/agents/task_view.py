"""What an agent in its own process is told about its task."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import msgspec

from offswitch.errors import AgentError
from offswitch.worlds.condition import Condition

if TYPE_CHECKING:
    from offswitch.agents.agent import Task
    from offswitch.worlds.environment import WorldEnv

__all__ = ["TaskView", "task_view"]


class TaskView(msgspec.Struct, frozen=True, kw_only=True):
    """The task as somebody else's factory sees it: plain data that crosses a process boundary.

    It holds no model of the world: an agent that wants one learns it from `make_env`.
    """

    world_id: str
    """Such as 'off-switch-v1'."""
    condition: Condition
    """The cell of the factorial: `condition.threat`, `condition.observed` and so on."""
    parameters: dict[str, Any]  # Any: each world's own fields
    """The world's parameters by name, as plain numbers, strings and lists."""
    goal: str
    """Name of the goal, such as 'reach-goal'."""
    actions: tuple[str, ...]
    """The A action names; an act is an index into them."""
    observation_sizes: tuple[int, ...]
    """Number of values of each observation entry; entry i is in range(observation_sizes[i])."""
    discount: float
    """Discount of the task per step, in (0, 1)."""
    horizon: int
    """Steps after which an episode is cut off."""
    seed: int
    """Seed for training, in [0, 2**63); the same in paired cells."""

    def make_env(self) -> WorldEnv:
        """The task's world as a Gymnasium environment, to train in.

        It pays the world's own reward for the goal: a countermeasure that changes the world's
        parameters or condition reaches it, one that changes the reward or the dynamics does not.

        Raises:
            WorldError: the world is not installed as an entry point `offswitch.worlds`.
        """
        # Heavy, and most agents never train.
        from offswitch.worlds.environment import WorldEnv
        from offswitch.worlds.registry import make_world

        parameters = {name: _frozen(value) for name, value in self.parameters.items()}
        world = make_world(self.world_id, condition=self.condition, **parameters)
        return WorldEnv(world, self.goal)


def task_view(task: Task) -> TaskView:
    """What of `task` is told to an agent in its own process.

    Raises:
        AgentError: a parameter of the world is no plain data.
    """
    world = task.compiled.world
    return TaskView(
        world_id=world.id,
        condition=world.condition,
        parameters={
            field.name: _plain(world.id, field.name, getattr(world, field.name))
            for field in dataclasses.fields(world)
            if field.name != "condition"
        },
        goal=task.goal.name,
        actions=tuple(world.actions),
        observation_sizes=tuple(world.observation_sizes),
        discount=world.discount,
        horizon=world.horizon,
        seed=task.seed,
    )


def _frozen(value: object) -> object:
    """`value` with tuples for lists, which is what a world, being hashable, was made with."""
    return tuple(map(_frozen, value)) if isinstance(value, list) else value


def _plain(world_id: str, name: str, value: object) -> object:
    try:
        return msgspec.to_builtins(value)
    except TypeError:
        raise AgentError(
            f"{world_id}: parameter {name!r} is {value!r}, expected plain data (numbers, strings, "
            "tuples): an agent in its own process cannot be told about it"
        ) from None
