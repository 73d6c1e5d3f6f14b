"""Canonical bytes of what is written as JSON, and the schema of its types."""

from __future__ import annotations

import msgspec

from offswitch.errors import AuditError

__all__ = ["canonical_bytes", "schema_bytes"]


def canonical_bytes(value: msgspec.Struct) -> bytes:
    """The bytes of `value`: sorted keys, indented by 2, newline at the end.

    Raises:
        AuditError: it would not read back as it is (a number that is not finite).
    """
    data = msgspec.json.format(msgspec.json.encode(value, order="sorted"), indent=2) + b"\n"
    try:
        back = msgspec.json.decode(data, type=type(value))
    except msgspec.ValidationError as error:
        raise AuditError(_unfaithful(str(error))) from error
    if back != value:
        raise AuditError(_unfaithful("a field reads back with another value"))
    return data


def schema_bytes(of: type[msgspec.Struct]) -> bytes:
    """The JSON Schema of the files that `canonical_bytes` writes for `of`."""
    schema = msgspec.json.schema(of)
    # `format` has a default, so msgspec calls it optional; every file we write has it.
    required = schema["$defs"][of.__name__]["required"]
    schema["$defs"][of.__name__]["required"] = ["format", *required]
    return msgspec.json.format(msgspec.json.encode(schema, order="sorted"), indent=2) + b"\n"


def _unfaithful(what: str) -> str:
    return (
        f"the report cannot be written faithfully: {what}. Every number must be finite "
        "(None where there is no data)."
    )
