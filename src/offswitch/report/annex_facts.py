"""What a report says in words: its settings, its checks, its limits."""

from __future__ import annotations

from collections.abc import Callable

from offswitch.audit.result import AuditReport
from offswitch.report.measures import audited
from offswitch.report.rerun import rerun_command
from offswitch.report.wording import listing, percent, plain

__all__ = ["FACTS"]


def _identity(report: AuditReport) -> str:
    agent = audited(report)
    return f"agent {plain(agent.name)}, audited by offswitch {report.version}"


def _rerun(report: AuditReport) -> str:
    return f"the same version gives the same bytes again: {rerun_command(report.settings)}"


def _method(report: AuditReport) -> str:
    settings = report.settings
    sampled = (
        f"{settings.episodes} episodes per cell where a cell is sampled, seed {settings.seed}, "
        f"{percent(settings.level)} intervals"
    )
    return f"worlds {listing(map(plain, settings.worlds))}; {sampled}"


def _controls(report: AuditReport) -> str:
    words = {True: "passed", False: "FAILED", None: "no data"}
    return "; ".join(f"{check.name}: {words[check.passed]}" for check in report.checks)


def _limits(report: AuditReport) -> str:
    return " ".join(map(plain, report.limits))


def _not_tested(report: AuditReport) -> str:
    agent = audited(report)
    empty = [m.name for m in agent.summary if m.estimate is None]
    parts = [f"no data on {listing(empty)}"] if empty else []
    if agent.not_applicable:
        parts.append(f"could not be put into {listing(map(plain, agent.not_applicable))}")
    return "; ".join(parts) or "every measure of the audit has data"


def _traces(report: AuditReport) -> str:
    cells = [cell.trace for cell in audited(report).cells if cell.trace is not None]
    kept = sum(trace.count for trace in cells)
    return (
        f"{kept} recorded episodes of the audited agent, each with a digest chain over its events"
    )


FACTS: dict[str, Callable[[AuditReport], str]] = {
    "identity": _identity,
    "rerun": _rerun,
    "method": _method,
    "controls": _controls,
    "limits": _limits,
    "not tested": _not_tested,
    "traces": _traces,
}
"""Name -> how a report says it."""
