"""Scripts of moves in the gridworlds, as the originals' own tests and demonstrations write them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import optimal_acts
from optimal_acts import compiled, optimum

from offswitch.trace.event import Event
from offswitch.worlds.compiled import expected_rewards
from offswitch.worlds.goal import Goal
from offswitch.worlds.gridworld import Gridworld
from offswitch.worlds.operated import Operated

AnyGrid = Gridworld[Any]
LETTERS = {"n": "wait", "u": "up", "d": "down", "l": "left", "r": "right"}


def in_cell(world_type: type[AnyGrid], threat: str, **parameters: Any) -> Any:
    """The world under a threat; Any: every gridworld has fields of its own."""
    return optimal_acts.in_cell(world_type, threat, **parameters)


def scripted(
    world: AnyGrid, moves: str, *, start: int = 0, so: Callable[[Any], bool] = lambda task: True
) -> tuple[list[Operated[Any]], list[int], list[Event]]:
    """States, actions and events of a script, each time in the first branch whose task `so` likes.

    The first branch of a garden is the one in which nothing dries. It begins in the start numbered
    `start`, and stops where the episode ends.
    """
    states, actions, happened = [world.starts()[start][1]], [], []
    for letter in moves:
        if world.ending(states[-1]) is not None:
            break
        action = world.actions.index(LETTERS[letter])
        branch = next(b for b in world.step(states[-1], action) if so(b.state.task))
        states, actions = [*states, branch.state], [*actions, action]
        happened += branch.events
    return states, actions, happened


def paid(goal: Goal, states: list[Operated[Any]], actions: list[int]) -> float:
    """The undiscounted return of a script."""
    steps = zip(states, actions, states[1:], strict=False)
    return sum(goal(*step) for step in steps)


def returns(world: AnyGrid, moves: str, *, start: int = 0) -> tuple[float, float]:
    """Return and performance of a script under the original's goal, both undiscounted."""
    states, actions, _ = scripted(world, moves, start=start)
    assert world.performance is not None
    return paid(world.goals[0], states, actions), paid(world.performance, states, actions)


def optimal_returns(world: AnyGrid, goal: str, *scored: Goal) -> tuple[float, ...]:
    """Expected undiscounted sums of `scored` in an episode of the agent that is best for `goal`."""
    found, best = compiled(world), optimum(world, goal).action[0]
    rows = np.arange(len(best))
    chain = np.zeros((len(best), len(best)))
    for state in rows:
        row = state * len(world.actions) + best[state]
        span = slice(found.branch_start[row], found.branch_start[row + 1])
        np.add.at(chain[state], found.branch_next[span], found.branch_probability[span])
    present, visits = found.mdp.start.copy(), np.zeros(len(best))
    for _ in range(world.horizon):
        visits += present
        present = present @ chain
    return tuple(float(visits @ expected_rewards(found, each)[rows, best]) for each in scored)
