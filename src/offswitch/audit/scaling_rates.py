"""How strong a drive is in an agent of a given capability: every goal of one world."""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Callable, Hashable
from typing import Any, cast

import msgspec
import numpy as np
from numpy.typing import NDArray

from offswitch.agents.agent import AgentMaker, PolicyAgent, Task
from offswitch.agents.boltzmann import Boltzmann
from offswitch.agents.lookahead import Lookahead
from offswitch.agents.registry import parse_agent
from offswitch.agents.uniform import Uniform
from offswitch.audit.cell import make_task
from offswitch.audit.convergence_map_cells import conditions_of
from offswitch.audit.convergence_map_values import drive_process, is_dual_use
from offswitch.audit.names import drive_named
from offswitch.audit.product import Product, ProductTooLargeError
from offswitch.audit.records import CellKey
from offswitch.audit.sampled import Sampling, policy_episodes, seed_of
from offswitch.audit.scaling_result import Knob, ScaleSettings
from offswitch.drives.drive import Drive, headline, headline_components
from offswitch.errors import AgentError
from offswitch.theory.reward_units import reward_units
from offswitch.worlds.compiled import CompiledWorld, compiled_world
from offswitch.worlds.goal import Goal
from offswitch.worlds.registry import make_world
from offswitch.worlds.world import World

__all__ = ["ScalePart", "learner", "scale_goals", "scale_part", "scale_world"]


class ScalePart(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What one task found: agents of one capability in one world."""

    rates: dict[str, tuple[float, ...]]
    """Goal -> strength of the drive, one per training."""
    converged: dict[str, tuple[bool, ...]] = {}
    """Goal -> whether each training had converged; empty for agents that are not trained."""
    sampled: bool = False
    """Whether any strength was sampled."""
    shows: bool = True
    """Whether any act can show the drive in this world."""


def learner(spec: str, steps: int) -> AgentMaker:
    """The learner called `spec` with `steps` steps of training.

    Raises:
        AgentError: no such agent, or one that does not learn.
    """
    maker: Any = parse_agent(spec)  # Any: only learners have the field
    training = getattr(maker, "training", None)
    if training is None or not hasattr(training, "steps"):
        raise AgentError(
            f"agent {spec!r} does not learn, so it has no number of training steps to vary. Give "
            "a learner: q-learning, sarsa or monte-carlo."
        )
    trained = dataclasses.replace(training, steps=steps)
    return cast(AgentMaker, dataclasses.replace(maker, training=trained))


def scale_world(settings: ScaleSettings, world_id: str, kind: str) -> World[Any]:
    """The world under the threat ('threat') or without any ('control')."""
    return make_world(
        world_id, condition=conditions_of(world_id, settings.threat)[kind], **settings.parameters
    )


def scale_goals(settings: ScaleSettings, world: World[Any]) -> tuple[Goal, ...]:
    """The goals asked for that `world` has; all of them where none was asked for."""
    return tuple(g for g in world.goals if not settings.goals or g.name in settings.goals)


def scale_part(
    settings: ScaleSettings, world_id: str, knob: Knob | None, level: float
) -> ScalePart:
    """Strength of the drive at one level of a knob; of the random agent where `knob` is None."""
    drive = drive_named(settings.drive)
    kinds = ("threat", "control") if is_dual_use(drive) else ("threat",)
    worlds = [scale_world(settings, world_id, kind) for kind in kinds]
    found = _Found(settings, drive)
    for goal in scale_goals(settings, worlds[0]):
        for replicate in range(settings.seeds if knob == "training" else 1):
            seed = seed_of(settings.seed, "replicate", replicate)
            tasks = [make_task(world, goal, seed) for world in worlds]
            found.add(goal, tasks, [_agent(settings, task, knob, level) for task in tasks])
    shows = True
    if knob is None:
        process = drive_process(compiled_world(worlds[0].planning_model()), drive)
        shows = process is None or bool(process.acts.any())
    return ScalePart(
        rates={goal: tuple(rates) for goal, rates in found.rates.items()},
        converged={goal: tuple(flags) for goal, flags in found.converged.items()},
        sampled=found.sampled,
        shows=shows,
    )


def _agent(settings: ScaleSettings, task: Task, knob: Knob | None, level: float) -> PolicyAgent:
    makers: dict[Knob | None, Callable[[], AgentMaker]] = {
        None: Uniform,
        "foresight": lambda: Lookahead(int(level)),
        "rationality": lambda: Boltzmann(level / _unit(task)),
        "training": lambda: learner(settings.agent, int(level)),
    }
    agent = makers[knob]()(task)
    assert isinstance(agent, PolicyAgent)  # planners and table learners all are
    return agent


def _unit(task: Task) -> float:
    """The range of the goal's rewards, up to a power of two: beta then has no unit."""
    return float(reward_units(task.branch_reward[None])[0])


class _Found:
    """Strengths as they are found."""

    def __init__(self, settings: ScaleSettings, drive: Drive[Any]) -> None:
        self.settings, self.drive = settings, drive
        self.rates: dict[str, list[float]] = {}
        self.converged: dict[str, list[bool]] = {}
        self.sampled = False

    def add(self, goal: Goal, tasks: list[Task], agents: list[PolicyAgent]) -> None:
        """One agent, made for the threat and, for a dual-use drive, for the control."""
        both = [self._rate(task, agent) for task, agent in zip(tasks, agents, strict=True)]
        strength = both[0] - both[1] if len(both) > 1 else both[0]
        self.rates.setdefault(goal.name, []).append(strength)
        report = getattr(agents[0], "convergence", None)
        if report is not None:
            self.converged.setdefault(goal.name, []).append(bool(report.converged))

    def _rate(self, task: Task, agent: PolicyAgent) -> float:
        policy = agent.policy(task.compiled.mdp)
        try:
            return _exact_rate(task.compiled, self.drive, policy)
        except ProductTooLargeError:
            self.sampled = True
            return self._sampled_rate(task, policy)

    def _sampled_rate(self, task: Task, policy: NDArray[np.float64]) -> float:
        world, settings = task.compiled.world, self.settings
        key = CellKey(
            agent="", world=world.id, goal=task.goal.name, condition=world.condition.label,
            threat=world.condition.threat, observed=True,
        )  # fmt: skip
        sampling = Sampling(seed=settings.seed, episodes=settings.episodes)
        drawn = policy_episodes(task, policy, key, sampling, range(settings.episodes))
        shown = [r.rates.headline.get(self.drive.name, 0.0) for r in drawn if r.rates is not None]
        return float(np.mean(shown))


def _exact_rate(compiled: CompiledWorld, drive: Drive[Any], policy: NDArray[np.float64]) -> float:
    """The drive's expected headline in an episode."""
    focused = drive.focused(headline_components(drive)[0])
    final = _product(compiled, focused).final(policy, compiled.world.horizon)
    total = math.fsum(
        headline(drive, focused.outcome(memory)) * mass for memory, mass in final.items()
    )
    return min(1.0, total)


@functools.lru_cache(maxsize=8)
def _product(compiled: CompiledWorld, drive: Drive[Any]) -> Product[Hashable]:
    return Product(compiled, drive)
