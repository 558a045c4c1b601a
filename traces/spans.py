"""Spans are noted when they are over, and sent by a thread: who notes one never waits for the receiver."""

from __future__ import annotations

import atexit
import logging
import threading
from collections.abc import Mapping

import requests
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.trace import (
    NonRecordingSpan,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
    set_span_in_context,
)

WAITING = 2048  # beyond that, spans are dropped
SENT = 512  # at once
SEND_SECONDS = 2.0  # until fewer are sent, too
END_SECONDS = 2.0  # for what is left at the end
SELDOM_SECONDS = 60.0
# They say that the receiver is away, and that spans are dropped.
LOGGERS = (
    "opentelemetry.exporter.otlp.proto.http.trace_exporter",
    "opentelemetry.sdk._shared_internal",
    __name__,
)

log = logging.getLogger(__name__)


class Spans:
    """The spans of one process, or of the processes that are forked from it.

    Args:
        endpoint: the address of an OTLP receiver for HTTP, without /v1/traces.
        service: what the spans are grouped by: `service.name`.

    Raises:
        ValueError, RuntimeError: a variable of OpenTelemetry's own is invalid.
    """

    def __init__(self, endpoint: str, service: str) -> None:
        session = requests.Session()
        session.trust_env = False  # a proxy or a .netrc of this machine is not meant for it
        self._exporter = OTLPSpanExporter(f"{endpoint.rstrip('/')}/v1/traces", session=session)
        self._ids = _Ids()
        resource = Resource.create({"service.name": service})
        self._provider = TracerProvider(resource=resource, shutdown_on_exit=False, id_generator=self._ids)
        self._tracer = self._provider.get_tracer("corkboard")
        self._processor: BatchSpanProcessor | None = None
        self._lock = threading.Lock()
        for name in LOGGERS:
            logging.getLogger(name).addFilter(Seldom())

    def note(
        self,
        name: str,
        kind: SpanKind,
        attributes: Mapping[str, str | int],
        nanoseconds: tuple[int, int],
        *,
        trace: int = 0,
        span: int = 0,
        parent: int = 0,
        has_failed: bool = False,
    ) -> None:
        """Notes a span. It never raises: no request and no delivery may fail because of it.

        Args:
            nanoseconds: the Unix times at which it began and ended.
            trace, span: its ids; made up where they are 0.
            parent: the span that caused it, in the same trace; 0 for none.
        """
        try:
            if self._processor is None:
                self._begin()
            self._ids.chosen.trace, self._ids.chosen.span = trace, span
            context = _caused_by(trace, parent) if parent else Context()
            noted = self._tracer.start_span(name, context, kind, attributes, start_time=nanoseconds[0])
            if has_failed:
                noted.set_status(Status(StatusCode.ERROR))
            noted.end(nanoseconds[1])
        except Exception:  # such as a thread that cannot be started
            log.exception("a span is lost")

    def end(self) -> None:
        """Sends what is left, for END_SECONDS at most. The library's own shutdown would wait for 30 s."""
        if self._processor is not None:
            self._processor._batch_processor.shutdown(timeout_millis=int(END_SECONDS * 1000))

    def _begin(self) -> None:
        # Not before: a thread of a process does not come along into those that are forked from it.
        with self._lock:
            if self._processor is None:
                # The bounds are ours, whatever is in the environment.
                processor = BatchSpanProcessor(self._exporter, WAITING, SEND_SECONDS * 1000, SENT, 30_000)
                self._provider.add_span_processor(processor)
                self._processor = processor
                atexit.register(self.end)


def _caused_by(trace: int, span: int) -> Context:
    cause = SpanContext(trace, span, is_remote=True, trace_flags=TraceFlags(TraceFlags.SAMPLED))
    return set_span_in_context(NonRecordingSpan(cause), Context())


class _Ids(RandomIdGenerator):
    """The ids that were chosen for the next span of this thread."""

    def __init__(self) -> None:
        self.chosen = threading.local()

    def generate_trace_id(self) -> int:
        return int(self.chosen.trace) or super().generate_trace_id()

    def generate_span_id(self) -> int:
        return int(self.chosen.span) or super().generate_span_id()

    def is_trace_id_random(self) -> bool:
        """Clients may choose request ids."""
        return False


class Seldom(logging.Filter):
    """Lets one message through per minute, however often spans could not be sent."""

    _next = 0.0

    def filter(self, record: logging.LogRecord) -> bool:
        """False within SELDOM_SECONDS of the last message that passed."""
        if record.created < self._next:
            return False
        self._next = record.created + SELDOM_SECONDS
        return True
