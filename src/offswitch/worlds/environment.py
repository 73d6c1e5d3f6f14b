"""A world and a goal as a Gymnasium environment.

A seed fixes all exogenous noise: one uniform draws the start and every step takes exactly one more,
whatever the action, so that paired conditions meet the same luck and `simulate` can reproduce it.

Gymnasium 1.x looks for no plugins; a module prefix makes it import this one, which registers all:
`gymnasium.make("offswitch.worlds.environment:offswitch/OffSwitch-v1", threat="shutdown")`.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from typing import Any, Protocol, runtime_checkable

import gymnasium
import msgspec
import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from offswitch.errors import WorldError
from offswitch.trace.event import Event
from offswitch.worlds.goal import Goal
from offswitch.worlds.registry import make_world, world_ids
from offswitch.worlds.world import World

__all__ = ["Drawn", "WorldEnv", "gymnasium_id", "make_env", "register_gymnasium", "stamped"]


@runtime_checkable
class Drawn(Protocol):
    """A world that can be drawn as text."""

    def board(self, state: Any) -> str:  # Any: each world has its own state type
        """The lines of the map in `state`."""
        ...


def stamped(events: Iterable[Event], step: int) -> tuple[Event, ...]:
    """`events` with their step filled in: the number of the action, from 0."""
    return tuple(msgspec.structs.replace(event, step=step) for event in events)


def _drawn(probabilities: Sequence[float], uniform: float) -> int:
    """The index drawn by inverting the cumulative sum; `simulate` adds in the same order."""
    total = 0.0
    last = 0
    for index, probability in enumerate(probabilities):
        if probability > 0:
            last = index
        total += probability
        if uniform < total:
            return index
    return last  # rounding left the sum a little below 1


class WorldEnv(gymnasium.Env[NDArray[np.int64], int]):
    """A world under one goal: observations as `MultiDiscrete`, actions as `Discrete`.

    `info` holds "events", the tuple of what happened (the end included), and "executed_action", the
    index of the action that was carried out, which an override may have put in the intended one's
    place.

    >>> env = make_env("off-switch-v1", threat="none")
    >>> observation, info = env.reset(seed=0)
    >>> observation, reward, terminated, truncated, info = env.step(env.world.actions.index("down"))
    >>> reward, terminated, info["events"], info["executed_action"]
    (-1.0, False, (), 2)
    """

    # Gymnasium's own declaration, whose values are Any, is no ClassVar.
    metadata: dict[str, Any] = {"render_modes": ["ansi"], "render_fps": 4}  # noqa: RUF012

    def __init__(
        self,
        world: World[Any],  # Any: each world has its own state type
        goal: Goal | str | None = None,
        *,
        render_mode: str | None = None,
    ) -> None:
        """`goal` is a goal, the name of one of the world's, or None for its default.

        Raises:
            WorldError: unknown goal or render mode.
        """
        if render_mode not in (None, "ansi"):
            raise WorldError(f"{world.id}: render_mode is {render_mode!r}, expected None or 'ansi'")
        self.world = world
        self.goal = goal if isinstance(goal, Goal) else world.goal(goal)
        self.render_mode = render_mode
        self.observation_space = spaces.MultiDiscrete(list(world.observation_sizes))
        # Discrete counts in np.int64; the environment takes any integer.
        self.action_space = spaces.Discrete(len(world.actions))  # type: ignore[assignment]
        self._state: Hashable = None
        self._step = 0
        self._running = False

    @property
    def state(self) -> Any:  # Any: each world has its own state type
        """The world's hidden state: for oracles and tests, never for agents."""
        return self._state

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[NDArray[np.int64], dict[str, Any]]:
        """The first observation; `seed` fixes the noise of this episode and of later ones."""
        super().reset(seed=seed, options=options)
        starts = self.world.starts()
        chances = [probability for probability, _ in starts]
        self._state = starts[_drawn(chances, self.np_random.random())][1]
        self._step = 0
        self._running = True
        return self._observation(), {"events": ()}

    def step(self, action: int) -> tuple[NDArray[np.int64], float, bool, bool, dict[str, Any]]:
        """Observation, reward, whether it terminated, whether it was cut off, and `info`.

        Raises:
            WorldError: the action is not in range(A), or no episode is running.
        """
        act = self._checked(action)
        world, state, step = self.world, self._state, self._step
        branches = world.step(state, act)
        chances = [branch.probability for branch in branches]
        branch = branches[_drawn(chances, self.np_random.random())]
        self._state, self._step = branch.state, step + 1
        end = world.ending(branch.state)
        terminated = end is not None
        truncated = not terminated and self._step >= world.horizon
        if truncated:
            end = world.cut_off(branch.state)
        self._running = end is None
        events = branch.events if end is None else (*branch.events, end)
        info = {"events": stamped(events, step), "executed_action": world.executed(state, act)}
        reward = float(self.goal(state, act, branch.state))
        return self._observation(), reward, terminated, truncated, info

    def render(self) -> str | None:
        """The map of the state as text where the world can draw it, else the state's name."""
        if self.render_mode is None:
            return None
        if isinstance(self.world, Drawn):
            return self.world.board(self._state)
        return str(self._state)

    def _checked(self, action: int) -> int:
        if not self._running:
            raise WorldError(f"{self.world.id}: no episode is running. Call reset first.")
        known = self.world.actions
        if not (isinstance(action, (int, np.integer)) and 0 <= action < len(known)):
            raise WorldError(
                f"{self.world.id}: action is {action!r}, expected an integer in "
                f"range({len(known)}): {', '.join(known)}"
            )
        return int(action)

    def _observation(self) -> NDArray[np.int64]:
        return np.array(self.world.observe(self._state), dtype=np.int64)


def make_env(
    world_id: str,
    *,
    goal: str | None = None,
    render_mode: str | None = None,
    **parameters: Any,  # Any: factors of the condition and each world's own fields
) -> WorldEnv:
    """The world called `world_id` under `goal`; further keywords as in `make_world`.

    Raises:
        WorldError: unknown world, goal, factor, level or parameter.
    """
    return WorldEnv(make_world(world_id, **parameters), goal, render_mode=render_mode)


def gymnasium_id(world_id: str) -> str:
    """The id under which Gymnasium knows a world.

    >>> gymnasium_id("off-switch-v1")
    'offswitch/OffSwitch-v1'
    """
    *words, version = world_id.split("-")
    return f"offswitch/{''.join(word.capitalize() for word in words)}-{version}"


def register_gymnasium() -> None:
    """Registers every installed world with Gymnasium; loads none of them."""
    for world_id in world_ids():
        env_id = gymnasium_id(world_id)
        if env_id not in gymnasium.registry:
            gymnasium.register(
                id=env_id,
                entry_point="offswitch.worlds.environment:make_env",
                kwargs={"world_id": world_id},
            )
