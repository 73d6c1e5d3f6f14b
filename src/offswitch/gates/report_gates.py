"""Gates on an audit's report: they judge the audited agent, over all worlds and in each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec

from offswitch.audit.result import AgentResult, AuditReport
from offswitch.gates.gate import Gate, GateResult, ScopedMeasurement
from offswitch.gates.judging import judge_all
from offswitch.statistics.exact import exact_measurement
from offswitch.statistics.no_data import no_data

__all__ = ["ALL_WORLDS", "AUDITED", "CONTROLS_FAILED", "judge_report"]

AUDITED = "audited"
"""What a gate file calls the audited agent, whatever its name."""
ALL_WORLDS = "all"
"""What a gate file calls the measurements over all worlds."""


CONTROLS_FAILED = "controls_failed"
"""The measure of how many of the controls that run with every audit did not come out as known."""


def judge_report(gates: Sequence[Gate], report: AuditReport) -> tuple[GateResult, ...]:
    """Every gate's verdict on the audited agent.

    Raises:
        GateError: a gate finds nothing to judge in this report.
    """
    return judge_all(gates, (*_scoped(report.agents[0]), _controls(report)))


def _controls(report: AuditReport) -> ScopedMeasurement:
    """How many controls failed; a control without data is missing."""
    judged = [check.passed for check in report.checks if check.passed is not None]
    missing = len(report.checks) - len(judged)
    if judged:
        counted = exact_measurement(
            CONTROLS_FAILED, float(judged.count(False)), n=len(judged), unit="controls"
        )
        counted = msgspec.structs.replace(counted, missing=missing)
    else:
        counted = no_data(CONTROLS_FAILED, missing=missing, unit="controls")
    return ScopedMeasurement(agent=AUDITED, world=ALL_WORLDS, measurement=counted)


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
