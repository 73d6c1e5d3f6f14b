from __future__ import annotations

import json
import math

import jsonschema
import msgspec
import pytest
from sample_prediction import hostile, interrupted, sample_prediction, undecided

from offswitch.errors import AuditError
from offswitch.report.prediction_json import (
    generated_prediction_schema,
    prediction_bytes,
    prediction_schema,
    read_prediction,
    write_prediction,
)

CHANGES = [lambda r: r, hostile, interrupted, undecided]


@pytest.mark.parametrize("change", CHANGES)
def test_a_prediction_reads_back_as_it_was_written_and_fits_the_schema(change, tmp_path):
    report = change(sample_prediction())
    write_prediction(report, tmp_path / "prediction.json")
    assert read_prediction(tmp_path / "prediction.json") == report
    document = json.loads((tmp_path / "prediction.json").read_bytes())
    jsonschema.validate(document, prediction_schema())
    assert list(document) == sorted(document)


def test_the_shipped_schema_is_the_generated_one():
    shipped = msgspec.json.encode(prediction_schema(), order="sorted")
    assert msgspec.json.format(shipped, indent=2) + b"\n" == generated_prediction_schema()


@pytest.mark.parametrize("spoil", ["missing", "superfluous", "mistyped"])
def test_the_schema_refuses_what_is_no_prediction(spoil):
    document = json.loads(prediction_bytes(sample_prediction()))
    if spoil == "missing":
        del document["interrupted"]
    elif spoil == "superfluous":
        document["start"]["colour"] = "red"
    else:
        document["states"]["n"] = "many"
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(document, prediction_schema())


def test_a_number_that_is_not_finite_is_refused():
    report = sample_prediction()
    states = msgspec.structs.replace(report.states, solver_error=math.nan)
    with pytest.raises(AuditError, match="must be finite"):
        prediction_bytes(msgspec.structs.replace(report, states=states))


@pytest.mark.parametrize("data", [b"", b"{}", b"\xff", b'{"format": "offswitch-report-1"}'])
def test_a_file_that_is_no_prediction_is_refused(data, tmp_path):
    (tmp_path / "x.json").write_bytes(data)
    with pytest.raises(AuditError, match="no whole prediction"):
        read_prediction(tmp_path / "x.json")
    with pytest.raises(AuditError, match="cannot be read"):
        read_prediction(tmp_path / "absent.json")
