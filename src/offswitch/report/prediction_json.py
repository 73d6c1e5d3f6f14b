"""prediction.json: canonical bytes, and the schema they are checked by.

The JSON Schema of the file is shipped as prediction.schema.json. After a change of the types of a
prediction write it anew:
`python -c "from offswitch.report.prediction_json import write_prediction_schema as w; w()"`.
"""

from __future__ import annotations

import os
from importlib import resources
from pathlib import Path
from typing import Any

import msgspec

from offswitch.errors import AuditError
from offswitch.report.canonical_json import canonical_bytes, schema_bytes
from offswitch.report.whole_file import write_whole
from offswitch.theory.prediction.report import PredictionReport

__all__ = [
    "generated_prediction_schema",
    "prediction_bytes",
    "prediction_schema",
    "read_prediction",
    "write_prediction",
    "write_prediction_schema",
]

SCHEMA_FILE = "prediction.schema.json"


def prediction_bytes(report: PredictionReport) -> bytes:
    """The canonical bytes of a prediction: sorted keys, indented by 2, newline at the end.

    Raises:
        AuditError: it holds a number that is not finite.
    """
    return canonical_bytes(report)


def write_prediction(report: PredictionReport, path: str | os.PathLike[str]) -> None:
    """Writes the canonical bytes; the file is whole or absent, never half.

    Raises:
        AuditError: the place cannot be written, or a number is not finite.
    """
    write_whole(Path(path), prediction_bytes(report))


def read_prediction(path: str | os.PathLike[str]) -> PredictionReport:
    """The prediction in a file.

    Raises:
        AuditError: the file is unreadable, cut, or no prediction of this format version.
    """
    source = Path(path)
    try:
        return msgspec.json.decode(source.read_bytes(), type=PredictionReport)
    except OSError as error:
        raise AuditError(f"{source}: cannot be read ({error.strerror}). Check the path.") from error
    except (msgspec.DecodeError, RecursionError) as error:
        raise AuditError(
            f"{source}: no whole prediction.json of this version: {error}. Make it again with "
            "`offswitch predict`."
        ) from error


def prediction_schema() -> dict[str, Any]:  # Any: a JSON document
    """The JSON Schema of prediction.json, as shipped."""
    text = resources.files(__package__).joinpath(SCHEMA_FILE).read_bytes()
    schema: dict[str, Any] = msgspec.json.decode(text)  # Any: a JSON document
    return schema


def generated_prediction_schema() -> bytes:
    """The JSON Schema as the types of this version give it."""
    return schema_bytes(PredictionReport)


def write_prediction_schema() -> Path:
    """Writes prediction.schema.json anew beside this file and returns where."""
    target = Path(__file__).with_name(SCHEMA_FILE)
    target.write_bytes(generated_prediction_schema())
    return target
