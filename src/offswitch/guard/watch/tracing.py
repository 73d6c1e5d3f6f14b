"""Spans of a guarded run to OpenTelemetry (extra `ops`); the library is imported when it is used.

from opentelemetry.sdk.trace.export import ConsoleSpanExporter
from offswitch.guard.watch.tracing import send_spans

send_spans(spans_of(read_records("ledger.jsonl"), "my-run"), ConsoleSpanExporter())
"""

from __future__ import annotations

import importlib
from typing import Any  # Any: objects of an optional package

from offswitch.errors import GuardError
from offswitch.guard.watch.spans import Span

__all__ = ["EXPORTER", "console_exporter", "otlp_exporter", "send_spans"]

EXPORTER = "opentelemetry-exporter-otlp-proto-http"
MISSING = "opentelemetry-sdk is not installed. Run: pip install 'offswitch[ops]'"
NO_EXPORTER = f"{EXPORTER} is not installed. Run: pip install 'offswitch[ops]' {EXPORTER}"
MOST_EVENTS = 1 << 20
"""Of one span; the library's own bound of 128 would leave alarms out without a word."""
BATCH = 512
SEND_S = 10


def console_exporter(out: Any) -> Any:
    """Writes every span as JSON to `out`.

    Raises:
        GuardError: opentelemetry-sdk is not installed.
    """
    return _module("opentelemetry.sdk.trace.export").ConsoleSpanExporter(out=out)


def otlp_exporter(address: str) -> Any:
    """Sends spans to an OTLP collector, such as http://127.0.0.1:4318.

    Raises:
        GuardError: opentelemetry-sdk or its exporter is not installed.
    """
    _module("opentelemetry.sdk.trace.export")
    otlp = _module("opentelemetry.exporter.otlp.proto.http.trace_exporter", NO_EXPORTER)
    return otlp.OTLPSpanExporter(endpoint=f"{address.rstrip('/')}/v1/traces", timeout=SEND_S)


def send_spans(root: Span, exporter: Any) -> int:
    """How many spans the exporter has taken: all of them.

    Raises:
        GuardError: opentelemetry-sdk is not installed, or the exporter did not take them all.
    """
    trace, export = _module("opentelemetry.trace"), _module("opentelemetry.sdk.trace.export")
    sdk, resources = _module("opentelemetry.sdk.trace"), _module("opentelemetry.sdk.resources")
    memory = _module("opentelemetry.sdk.trace.export.in_memory_span_exporter")
    kept = memory.InMemorySpanExporter()
    provider = sdk.TracerProvider(
        resource=resources.Resource.create({"service.name": "offswitch-guard"}),
        span_limits=sdk.SpanLimits(max_events=MOST_EVENTS),
    )
    provider.add_span_processor(export.SimpleSpanProcessor(kept))
    _put(root, provider.get_tracer("offswitch.guard"), trace, None)
    spans = kept.get_finished_spans()
    for at in range(0, len(spans), BATCH):
        taken = exporter.export(spans[at : at + BATCH])
        if taken is not export.SpanExportResult.SUCCESS:
            raise GuardError(
                f"{at} of {len(spans)} spans were sent; the rest was not taken. Is there a "
                "collector at that address?"
            )
    return len(spans)


def _put(span: Span, tracer: Any, trace: Any, parent: Any) -> None:
    begun = tracer.start_span(
        span.name, context=parent, start_time=span.begin_ns, attributes=dict(span.attributes)
    )
    for event in span.events:
        begun.add_event(event.name, dict(event.attributes), event.at_ns)
    if span.problem:
        begun.set_status(trace.Status(trace.StatusCode.ERROR, span.problem))
    here = trace.set_span_in_context(begun)
    for one in span.below:
        _put(one, tracer, trace, here)
    begun.end(span.end_ns)


def _module(name: str, missing: str = MISSING) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError as problem:
        raise GuardError(missing) from problem
