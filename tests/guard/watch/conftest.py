"""OpenTelemetry for the tests of spans: the real one, and a small one that behaves like it."""

from __future__ import annotations

import enum
import importlib
import sys
import types
from typing import Any

import pytest


class _Span:
    def __init__(self, name: str, context: Any, start_time: int, attributes: dict[str, Any]):
        self.name, self.parent, self.start_time = name, context, start_time
        self.attributes, self.events = attributes, list[Any]()
        self.end_time, self.status = 0, None

    def add_event(self, name: str, attributes: dict[str, Any], timestamp: int) -> None:
        self.events.append(types.SimpleNamespace(name=name, timestamp=timestamp))

    def set_status(self, status: Any) -> None:
        self.status = status

    def end(self, end_time: int) -> None:
        self.end_time = end_time
        _Memory.last.spans.append(self)


class _Memory:
    last: _Memory

    def __init__(self) -> None:
        self.spans = list[_Span]()
        _Memory.last = self

    def get_finished_spans(self) -> list[_Span]:
        return self.spans


class _Result(enum.Enum):
    SUCCESS, FAILURE = 0, 1


def _small() -> dict[str, dict[str, Any]]:
    class Provider:
        def __init__(self, **given: Any) -> None:
            pass

        def add_span_processor(self, processor: Any) -> None:
            pass

        def get_tracer(self, name: str) -> Any:
            return types.SimpleNamespace(start_span=_Span)

    sdk = "opentelemetry.sdk"
    return {
        "opentelemetry": {},
        "opentelemetry.trace": {
            "Status": lambda code, text: (code, text),
            "StatusCode": types.SimpleNamespace(ERROR="error"),
            "set_span_in_context": lambda span: span,
        },
        sdk: {},
        f"{sdk}.resources": {"Resource": types.SimpleNamespace(create=lambda fields: fields)},
        f"{sdk}.trace": {"TracerProvider": Provider, "SpanLimits": dict},
        f"{sdk}.trace.export": {
            "SimpleSpanProcessor": lambda exporter: exporter, "SpanExportResult": _Result,
        },
        f"{sdk}.trace.export.in_memory_span_exporter": {"InMemorySpanExporter": _Memory},
    }  # fmt: skip


@pytest.fixture(params=["small", "real"])
def telemetry(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Any:
    """What a test needs to know of the library it runs with."""
    if request.param == "real":
        reason = "opentelemetry-sdk is not installed: pip install 'offswitch[ops]'"
        export = pytest.importorskip("opentelemetry.sdk.trace.export", reason=reason)
        trace = importlib.import_module("opentelemetry.trace")
        return types.SimpleNamespace(
            success=export.SpanExportResult.SUCCESS,
            failure=export.SpanExportResult.FAILURE,
            is_below=lambda one, top: one.parent.span_id == top.context.span_id,
            failed=lambda one: one.status.status_code is trace.StatusCode.ERROR,
        )
    for name, contents in _small().items():
        module = types.ModuleType(name)
        module.__dict__.update(contents)
        monkeypatch.setitem(sys.modules, name, module)
    return types.SimpleNamespace(
        success=_Result.SUCCESS, failure=_Result.FAILURE,
        is_below=lambda one, top: one.parent is top,
        failed=lambda one: one.status is not None,
    )  # fmt: skip
