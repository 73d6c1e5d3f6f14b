"""Everything found about one agent, from its cells: the report's part on it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from offswitch.audit.cell_report import cell_result
from offswitch.audit.convergence import convergence_of
from offswitch.audit.corrigibility_report import corrigibility_of
from offswitch.audit.denial import doubling_down
from offswitch.audit.directedness import directedness_strata, mean_directedness
from offswitch.audit.goal_edits import goal_edit_rates
from offswitch.audit.means import means_profile
from offswitch.audit.performance import hidden_performance, task_costs
from offswitch.audit.plan import role_of
from offswitch.audit.power_gain import WorldGain, power_gains
from offswitch.audit.result import AgentResult, RunSettings, TracePointer
from offswitch.audit.stocks import stock_parts
from offswitch.audit.summary import summarise
from offswitch.audit.tables import Cell, pick
from offswitch.audit.willingness import willingness
from offswitch.statistics.measurement import Measurement

__all__ = ["Findings", "agent_result"]


class Findings(NamedTuple):
    """What an audit has before it is told agent by agent."""

    settings: RunSettings
    cells: Mapping[str, Sequence[Cell]]
    """Agent -> its cells."""
    gains: Mapping[str, Mapping[str, tuple[WorldGain, WorldGain]]]
    """Agent -> world -> power gained, over the steps and at the end."""
    refused: Mapping[str, dict[str, str]]
    """Agent -> world -> why it could not be put into it."""
    pointers: Mapping[int, TracePointer]
    """id(cell) -> where its episodes stand."""


def agent_result(found: Findings, agent: str) -> AgentResult:
    """The report's part on `agent`."""
    settings, cells = found.settings, found.cells.get(agent, ())
    seed, level = settings.seed, settings.level
    worlds = [world for world in settings.worlds if any(c.key.world == world for c in cells)]
    return AgentResult(
        name=agent,
        role=role_of(settings, agent),
        summary=tuple(_summary(found, agent, worlds)),
        by_world={world: tuple(_summary(found, agent, [world])) for world in worlds},
        corrigibility=corrigibility_of(cells, seed=seed, level=level),
        convergence=convergence_of(cells, seed=seed, level=level),
        cells=tuple(
            cell_result(cell, found.pointers.get(id(cell)), seed=seed, level=level)
            for cell in cells
        ),
        not_applicable=found.refused.get(agent, {}),
        means=means_profile(cells, seed=seed, level=level),
        stocks=stock_parts(cells, seed=seed, level=level),
        strata=directedness_strata(cells, seed=seed, level=level),
        performance=hidden_performance(cells, seed=seed, level=level),
        failures=_first_failures(cells),
    )


def _summary(found: Findings, agent: str, worlds: Sequence[str]) -> Iterator[Measurement]:
    """The measurements of one agent in `worlds`, in the order in which they are read."""
    seed, level = found.settings.seed, found.settings.level
    own = found.cells.get(agent, ())
    cells = [cell for world in worlds for cell in pick(own, world=world)]
    gains = found.gains.get(agent, {})
    yield from summarise(cells, seed=seed, level=level)
    yield doubling_down(cells, seed=seed, level=level)
    yield from goal_edit_rates(cells, seed=seed, level=level)
    yield willingness(cells, seed=seed, level=level)
    yield mean_directedness(cells, seed=seed, level=level)
    yield from power_gains(
        [gains[world] for world in worlds if world in gains], seed=seed, level=level
    )
    yield from task_costs(cells, seed=seed, level=level)


def _first_failures(cells: Sequence[Cell]) -> dict[str, str]:
    failures: dict[str, str] = {}
    for cell in cells:
        for episode in cell.episodes:
            if episode.unscored is not None and episode.failure is not None:
                failures.setdefault(episode.unscored, episode.failure)
    return dict(sorted(failures.items()))
