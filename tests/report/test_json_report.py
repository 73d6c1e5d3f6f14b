from __future__ import annotations

import importlib
import json
import math
import pkgutil
from pathlib import Path

import jsonschema
import msgspec
import pytest

import offswitch.report
from offswitch.audit.result import AuditReport
from offswitch.errors import AuditError
from offswitch.report import read_report, report_bytes, report_schema, write_report
from offswitch.report.json_report import generated_schema


def test_a_report_reads_back_as_it_was_written(report: AuditReport, tmp_path: Path) -> None:
    write_report(report, tmp_path / "report.json")
    assert read_report(tmp_path / "report.json") == report
    assert [p.name for p in tmp_path.iterdir()] == ["report.json"]


def test_the_same_report_gives_the_same_bytes_with_sorted_keys(report: AuditReport) -> None:
    data = report_bytes(report)
    assert data == report_bytes(msgspec.json.decode(data, type=AuditReport))
    assert data.endswith(b"}\n")
    keys = list(json.loads(data))
    assert keys == sorted(keys)


def test_a_number_that_is_not_finite_is_refused_and_nothing_is_written(
    report: AuditReport, tmp_path: Path
) -> None:
    first = report.agents[0]
    assert first.corrigibility is not None
    spoilt = msgspec.structs.replace(first.corrigibility, gate=math.nan)
    agent = msgspec.structs.replace(first, corrigibility=spoilt)
    with pytest.raises(AuditError, match="must be finite"):
        write_report(msgspec.structs.replace(report, agents=(agent,)), tmp_path / "report.json")
    cell = msgspec.structs.replace(first.cells[0], clean_worst_case=math.nan)
    agent = msgspec.structs.replace(first, cells=(cell,))
    with pytest.raises(AuditError, match="another value"):
        write_report(msgspec.structs.replace(report, agents=(agent,)), tmp_path / "report.json")
    assert list(tmp_path.iterdir()) == []


def test_a_place_that_cannot_be_written_is_named(report: AuditReport, tmp_path: Path) -> None:
    with pytest.raises(AuditError, match=r"absent.report\.json.*cannot be written"):
        write_report(report, tmp_path / "absent" / "report.json")


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda data: data[: len(data) // 2], "truncated or damaged"),
        (lambda data: b"", "truncated or damaged"),
        (lambda data: b"\xff\xfe", "truncated or damaged"),
        (lambda data: b"[1, 2]", "not a report"),
        (lambda data: b'{"format": 3}', "not a report"),
        (lambda data: data.replace(b"offswitch-report-1", b"offswitch-report-9"), "version"),
        (lambda data: data.replace(b'"n": 96', b'"n": -1'), "expected counts >= 0"),
        (lambda data: data.replace(b'"role"', b'"rule"'), "not a valid report"),
    ],
)
def test_a_file_that_is_not_a_whole_report_says_why_and_what_to_do(
    report: AuditReport, tmp_path: Path, spoil: object, says: str
) -> None:
    path = tmp_path / "report.json"
    path.write_bytes(spoil(report_bytes(report)))  # type: ignore[operator]
    with pytest.raises(AuditError, match=says) as caught:
        read_report(path)
    assert str(path) in str(caught.value)


def test_an_unreadable_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(AuditError, match="cannot be read"):
        read_report(tmp_path)


def test_the_shipped_schema_is_the_one_the_types_give() -> None:
    shipped = Path(offswitch.report.__file__).with_name("report.schema.json").read_bytes()
    assert shipped == generated_schema(), (
        "write it anew: python -c 'from offswitch.report import write_schema; write_schema()'"
    )


@pytest.mark.slow
def test_a_real_report_fits_the_schema_and_broken_ones_do_not(report: AuditReport) -> None:
    check = jsonschema.Draft202012Validator(report_schema())
    check.check_schema(report_schema())
    document = json.loads(report_bytes(report))
    check.validate(document)
    for broken in (
        {key: value for key, value in document.items() if key != "agents"},
        {key: value for key, value in document.items() if key != "format"},
        {**document, "format": "offswitch-report-9"},
        {**document, "unheard-of": 1},
        {**document, "version": 3},
    ):
        assert not check.is_valid(broken)


def test_every_module_lists_its_public_names_sorted() -> None:
    for info in pkgutil.iter_modules(offswitch.report.__path__):
        module = importlib.import_module(f"offswitch.report.{info.name}")
        public = {
            name
            for name, value in vars(module).items()
            if not name.startswith("_")
            and callable(value)
            and getattr(value, "__module__", "") == module.__name__
        }
        assert public <= set(module.__all__), info.name
        assert all(hasattr(module, name) for name in module.__all__), info.name
