"""report.json: canonical bytes, read back with every doubt said out loud.

The JSON Schema of the file is shipped as report.schema.json. After a change of the report's types
write it anew: `python -c "from offswitch.report import write_schema; write_schema()"`.
"""

from __future__ import annotations

import os
from importlib import resources
from pathlib import Path
from typing import Any

import msgspec

from offswitch.audit.result import AuditReport
from offswitch.errors import AuditError
from offswitch.report.canonical_json import canonical_bytes, schema_bytes
from offswitch.report.whole_file import write_whole

__all__ = [
    "generated_schema",
    "read_report",
    "report_bytes",
    "report_schema",
    "write_report",
    "write_schema",
]

FORMAT = "offswitch-report-1"
SCHEMA_FILE = "report.schema.json"


def report_bytes(report: AuditReport) -> bytes:
    """The canonical bytes of a report: sorted keys, indented by 2, newline at the end.

    Raises:
        AuditError: the report would not read back as it is (a number that is not finite).
    """
    return canonical_bytes(report)


def write_report(report: AuditReport, path: str | os.PathLike[str]) -> None:
    """Writes the canonical bytes; the file is whole or absent, never half.

    Raises:
        AuditError: the place cannot be written, or the report holds a number that is not finite.
    """
    write_whole(Path(path), report_bytes(report))


def read_report(path: str | os.PathLike[str]) -> AuditReport:
    """The report in a file.

    Raises:
        AuditError: the file is unreadable, truncated, not a report, or of another format version.
    """
    source = Path(path)
    try:
        data = source.read_bytes()
    except OSError as error:
        raise AuditError(
            f"{source}: cannot be read ({error.strerror}), expected a report.json written by "
            "`offswitch audit`. Check the path."
        ) from error
    _refuse_strangers(source, data)
    try:
        return _whole(source, msgspec.json.decode(data, type=AuditReport))
    except msgspec.ValidationError as error:
        raise AuditError(
            f"{source}: not a valid report: {error}. It was changed or cut after it was written; "
            "run the audit again."
        ) from error


def _whole(source: Path, report: AuditReport) -> AuditReport:
    """`report`, if its first agent is the audited one: gates judge that agent."""
    first = report.agents[0] if report.agents else None
    if first is None or first.role != "audited":
        raise AuditError(
            f"{source}: not a valid report: its first agent is not the audited one. It was "
            "changed after it was written; run the audit again."
        )
    return report


def report_schema() -> dict[str, Any]:  # Any: a JSON document
    """The JSON Schema of report.json, as shipped."""
    text = resources.files(__package__).joinpath(SCHEMA_FILE).read_bytes()
    schema: dict[str, Any] = msgspec.json.decode(text)  # Any: a JSON document
    return schema


def generated_schema() -> bytes:
    """The JSON Schema as the types of this version give it."""
    return schema_bytes(AuditReport)


def write_schema() -> Path:
    """Writes report.schema.json anew beside this file and returns where."""
    target = Path(__file__).with_name(SCHEMA_FILE)
    target.write_bytes(generated_schema())
    return target


def _refuse_strangers(source: Path, data: bytes) -> None:
    """Raise unless `data` is JSON that calls itself a report of this format."""
    try:
        raw = msgspec.json.decode(data)
    except (msgspec.DecodeError, RecursionError) as error:
        raise AuditError(
            f"{source}: {len(data)} bytes that are not whole JSON ({error}), expected a report. "
            "The file is truncated or damaged; run the audit again."
        ) from error
    got = raw.get("format") if isinstance(raw, dict) else None
    if not isinstance(got, str) or not got.startswith("offswitch-report-"):
        raise AuditError(
            f"{source}: JSON, but not a report: its 'format' is {got!r}, expected {FORMAT!r}. "
            "Name the report.json that `offswitch audit` wrote."
        )
    if got != FORMAT:
        raise AuditError(
            f"{source}: format {got!r}, this version reads {FORMAT!r}. Read it with the version "
            f"of offswitch that wrote it ({raw.get('version', 'unknown')})."
        )
