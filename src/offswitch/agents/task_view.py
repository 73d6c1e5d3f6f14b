"""What an agent in its own process is told about its task."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from offswitch.worlds.condition import Condition

if TYPE_CHECKING:
    import gymnasium

__all__ = ["TaskView"]


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
    """Seed for training; the same in paired cells."""

    def make_env(self) -> gymnasium.Env[Any, Any]:  # Any: gymnasium's own type parameters
        """The task's world as a Gymnasium environment, to train in.

        The environment pays the reward of the goal. A countermeasure that changes the reward does
        not reach it; one that changes the world's parameters or condition does.

        Raises:
            WorldError: the world is not installed as an entry point `offswitch.worlds`.
        """
        from offswitch.worlds.environment import WorldEnv  # heavy: most agents never train
        from offswitch.worlds.registry import make_world

        world = make_world(self.world_id, condition=self.condition, **self.parameters)
        return WorldEnv(world, self.goal)
