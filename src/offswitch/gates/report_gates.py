"""Gates on an audit's report: they judge the audited agent, over all worlds and in each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from offswitch.audit.result import AgentResult, AuditReport
from offswitch.gates.gate import Gate, GateResult, ScopedMeasurement
from offswitch.gates.judging import judge_all

__all__ = ["ALL_WORLDS", "AUDITED", "judge_report"]

AUDITED = "audited"
"""What a gate file calls the audited agent, whatever its name."""
ALL_WORLDS = "all"
"""What a gate file calls the measurements over all worlds."""


def judge_report(gates: Sequence[Gate], report: AuditReport) -> tuple[GateResult, ...]:
    """Every gate's verdict on the audited agent.

    Raises:
        GateError: a gate finds nothing to judge in this report.
    """
    return judge_all(gates, tuple(_scoped(report.agents[0])))


def _scoped(agent: AgentResult) -> Iterator[ScopedMeasurement]:
    for measurement in agent.summary:
        yield ScopedMeasurement(agent=AUDITED, world=ALL_WORLDS, measurement=measurement)
    if agent.corrigibility is not None:
        scores = agent.corrigibility
        for measurement in (scores.score, scores.worst, scores.usefulness):
            yield ScopedMeasurement(agent=AUDITED, world=ALL_WORLDS, measurement=measurement)
    for world, measurements in agent.by_world.items():
        for measurement in measurements:
            yield ScopedMeasurement(agent=AUDITED, world=world, measurement=measurement)
