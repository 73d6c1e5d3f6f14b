"""What one task of the study finds: one or more agents in every cell of one world."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from offswitch.agents.agent import AgentMaker
from offswitch.agents.registry import parse_agent
from offswitch.audit.cell import evaluate_cell
from offswitch.audit.factors_design import Staged, conditions_in, is_learner
from offswitch.audit.factors_result import FactorsSettings
from offswitch.audit.forecast_predictors import Predictors, predictors_of
from offswitch.audit.names import drive_named
from offswitch.audit.records import CellKey, CellRecord, EpisodeRecord, Rates
from offswitch.audit.sampled import Sampling
from offswitch.audit.scaling_rates import learner
from offswitch.audit.summary import headline_rate
from offswitch.audit.tables import Cell
from offswitch.countermeasures.setting import Setting
from offswitch.worlds.goal import Goal
from offswitch.worlds.registry import make_world
from offswitch.worlds.world import World

__all__ = ["FactorsPart", "Row", "behaviour_part", "theory_part"]


class Row(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One agent with one goal in one cell."""

    world: str
    goal: str
    agent: str
    condition: str
    threat: str
    autonomy: str | None
    """None outside the crossed design."""
    oversight: str | None
    forecast: bool
    rate: float | None
    """Probability of a violation in an episode; None where nothing could be scored."""
    clean: float | None
    gain: float | None
    """(return - do-nothing) / (optimum - do-nothing); None where the optimum gains nothing."""
    exact: bool
    trained: bool | None
    """Whether a learner had converged; None for planners."""

    @property
    def cluster(self) -> str:
        """'world/goal'."""
        return f"{self.world}/{self.goal}"


class FactorsPart(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What one task found: behaviour, or what theory says beforehand."""

    rows: tuple[Row, ...] = ()
    predictors: dict[str, dict[str, Predictors | None]] = {}
    """Condition -> goal -> predictors; None where they are undefined."""
    impossible: tuple[str, ...] = ()
    """Conditions in which no act can show the drive."""


def behaviour_part(settings: FactorsSettings, world_id: str, agents: Sequence[str]) -> FactorsPart:
    """The agents with their goals in every cell of `world_id`."""
    rows = [
        _row(settings, world, staged, goal, agent)
        for staged in conditions_in(world_id)
        for world in [make_world(world_id, condition=staged.condition)]
        for agent in agents
        for goal in _goals(settings, world, trained=is_learner(agent))
    ]
    return FactorsPart(rows=tuple(rows))


def theory_part(settings: FactorsSettings, world_id: str) -> FactorsPart:
    """The predictors of every cell that is forecast; no agent is run."""
    drive = drive_named(settings.drive)
    found, impossible = {}, []
    for staged in conditions_in(world_id):
        if not staged.forecast:
            continue
        world = make_world(world_id, condition=staged.condition)
        goals = _goals(settings, world, trained=False)
        label = staged.condition.label
        predictors = predictors_of(world, goals, drive, draws=settings.draws, seed=settings.seed)
        if predictors is None:
            impossible.append(label)
        else:
            found[label] = {g.name: one for g, one in zip(goals, predictors, strict=True)}
    return FactorsPart(predictors=found, impossible=tuple(impossible))


def _goals(settings: FactorsSettings, world: World[Any], *, trained: bool) -> tuple[Goal, ...]:
    """Spread evenly over the family, whose neighbours are alike; a learner's are the first."""
    most = len(world.goals)
    count = min(settings.goals or most, most)
    places = [k * (most - 1) // max(1, count - 1) for k in range(count)]
    spread = tuple(world.goals[place] for place in places)
    return spread[: settings.learner_goals] if trained else spread


def _maker(settings: FactorsSettings, agent: str) -> AgentMaker:
    return learner(agent, settings.steps) if is_learner(agent) else parse_agent(agent)


def _row(
    settings: FactorsSettings, world: World[Any], staged: Staged, goal: Goal, agent: str
) -> Row:
    condition = staged.condition
    key = CellKey(
        agent=agent, world=world.id, goal=goal.name, condition=condition.label,
        threat=condition.threat, observed=condition.observed,
    )  # fmt: skip
    setting = Setting.of(world, goal, _maker(settings, agent))
    sampling = Sampling(
        seed=settings.seed, episodes=settings.episodes, drives=frozenset([settings.drive])
    )
    cell = _cell(evaluate_cell(setting, key, sampling))
    return Row(
        world=world.id, goal=goal.name, agent=agent, condition=condition.label,
        threat=condition.threat, autonomy=staged.autonomy, oversight=staged.oversight,
        forecast=staged.forecast, rate=_mean(cell, headline_rate(settings.drive)),
        clean=_mean(cell, _clean), gain=_gain(cell), exact=cell.exact, trained=cell.record.trained,
    )  # fmt: skip


def _cell(records: Iterator[CellRecord | EpisodeRecord]) -> Cell:
    *episodes, last = records
    assert isinstance(last, CellRecord)  # a cell ends with its own record
    return Cell(last, tuple(one for one in episodes if isinstance(one, EpisodeRecord)))


def _clean(rates: Rates) -> float:
    return rates.clean


def _mean(cell: Cell, measure: Any) -> float | None:  # Any: a measure of Rates
    found = cell.mean(measure)
    return min(1.0, found) if math.isfinite(found) else None


def _gain(cell: Cell) -> float | None:
    value, baselines = cell.mean_value(), cell.baselines
    most = baselines.optimum - baselines.null
    if not math.isfinite(value) or most <= 1e-9 * max(1.0, abs(baselines.optimum)):
        return None
    return (value - baselines.null) / most
