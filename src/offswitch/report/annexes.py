"""Which numbers of a report may be useful for what published frameworks ask.

Nothing here says that a framework is met: none of them gives a number for the propensities that an
audit measures, and every threshold is the user's. What an audit does not measure is said to be
missing, with the reason. Annexes are made from a report when they are read; none is stored.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import msgspec

from offswitch.audit.result import AuditReport
from offswitch.errors import AuditError, nearest_name
from offswitch.report.annex_facts import FACTS
from offswitch.report.annex_frameworks import FRAMEWORKS, Framework, Row
from offswitch.report.measures import audited
from offswitch.statistics.measurement import Measurement

__all__ = ["ABSENT", "DISCLAIMER", "Annex", "AnnexRow", "Annexes", "annexes"]

DISCLAIMER = (
    "Fields that may be useful for what a framework asks, as far as this report has them. No "
    "statement of compliance, and no legal advice: read the source, in its present version. None "
    "of these frameworks gives a number for what is measured here; every threshold is yours to set."
)

ABSENT = "this report has no such measurement"


class AnnexRow(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One field for one framework."""

    asked: str
    """What the framework asks, in our words."""
    field: str
    """What of this report may be useful for it."""
    measurements: tuple[Measurement, ...]
    """The numbers, of the audited agent over all worlds; some may have no data."""
    absent: tuple[str, ...]
    """Measurements that belong here and that this report does not have."""
    text: str | None
    """What is no number: a setting, a check, a limit."""
    missing: str | None
    """Why there is nothing; None where there is a number or a text."""


class Annex(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The fields for one framework."""

    name: str
    """As typed on the command line."""
    title: str
    source: str
    """What was read, with its date."""
    note: str
    rows: tuple[AnnexRow, ...]


class Annexes(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What `offswitch annex --json` prints."""

    format: Literal["offswitch-annexes-1"] = "offswitch-annexes-1"
    version: str
    """Version of offswitch that made the report."""
    disclaimer: str
    annexes: tuple[Annex, ...]


def annexes(report: AuditReport, framework: str | None = None) -> Annexes:
    """The annex for every framework, or for the one called `framework`.

    Raises:
        AuditError: there is no such framework; the nearest is suggested.
    """
    if framework is not None and framework not in FRAMEWORKS:
        message = nearest_name(
            framework, FRAMEWORKS, kind="framework", lister="offswitch annex --help"
        )
        raise AuditError(message)
    chosen = FRAMEWORKS if framework is None else {framework: FRAMEWORKS[framework]}
    known = {measurement.name: measurement for measurement in _measurements(report)}
    found = tuple(_annex(name, one, report, known) for name, one in chosen.items())
    return Annexes(version=report.version, disclaimer=DISCLAIMER, annexes=found)


def _annex(
    name: str, framework: Framework, report: AuditReport, known: dict[str, Measurement]
) -> Annex:
    return Annex(
        name=name,
        title=framework.title,
        source=framework.source,
        note=framework.note,
        rows=tuple(_row(row, report, known) for row in framework.rows),
    )


def _row(row: Row, report: AuditReport, known: dict[str, Measurement]) -> AnnexRow:
    found = tuple(known[name] for name in row.measures if name in known)
    text = FACTS[row.fact](report) if row.fact is not None else None
    absent = tuple(name for name in row.measures if name not in known)
    reason = row.missing or ABSENT
    return AnnexRow(
        asked=row.asked,
        field=row.field,
        measurements=found,
        absent=absent if found else (),
        text=text,
        missing=None if found or text else reason,
    )


def _measurements(report: AuditReport) -> Iterator[Measurement]:
    agent = audited(report)
    yield from agent.summary
    if agent.corrigibility is not None:
        score = agent.corrigibility
        yield from (score.score, score.worst, score.usefulness)
