"""Traces to OpenTelemetry by its standard variables. Imported only where OTEL_EXPORTER_OTLP_ENDPOINT is set."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from threading import Thread

import structlog
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, SERVICE_VERSION, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from structlog.typing import EventDict, WrappedLogger

_NAME = "email-consumer"
_FLUSH_SECONDS = 3.0
_propagator = TraceContextTextMapPropagator()


@contextmanager
def exporting(version: str, role: str) -> Iterator[None]:
    """Export spans in the background, and name the trace in log lines. At the end it flushes for three seconds at most.

    To be entered after `observe.logging.configure`, whose steps it adds to.
    """
    resource = Resource.create(
        {
            SERVICE_NAME: os.environ.get("OTEL_SERVICE_NAME") or _NAME,
            SERVICE_VERSION: version,
            "email_consumer.role": role,
        }
    )
    provider = TracerProvider(resource=resource, shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    trace.set_tracer_provider(provider)
    steps = structlog.get_config()["processors"]
    structlog.configure(processors=[steps[0], _name_trace, *steps[1:]])
    try:
        yield
    finally:
        structlog.configure(processors=steps)
        # Alone it waits for all its retries while the receiver is down, whatever time limit it is given.
        flush = Thread(target=provider.force_flush, daemon=True)
        flush.start()
        flush.join(_FLUSH_SECONDS)


def tracer() -> trace.Tracer:
    return trace.get_tracer(_NAME)


def context_of(headers: Mapping[str, str]) -> Context:
    """That of the span which `traceparent` names, in headers of any case; an empty one without it, or if it is malformed."""
    return _propagator.extract({name.lower(): value for name, value in headers.items()}, context=Context())


def current_traceparent() -> str | None:
    """The header that names the current span; None outside any."""
    carrier: dict[str, str] = {}
    _propagator.inject(carrier)
    return carrier.get("traceparent")


def _name_trace(_: WrappedLogger, __: str, fields: EventDict) -> EventDict:
    span = trace.get_current_span().get_span_context()
    if span.is_valid:
        fields["trace_id"] = trace.format_trace_id(span.trace_id)
        fields["span_id"] = trace.format_span_id(span.span_id)
    return fields
