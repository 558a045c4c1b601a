"""A receiver of OpenTelemetry traces, as a collector would be one: OTLP over HTTP."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple, Self

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)


class Span(NamedTuple):
    """What a test asks of a span. Ids are hexadecimal, as in request ids; `parent` is empty for a root."""

    service: str
    name: str
    kind: int
    trace: str
    id: str
    parent: str
    seconds: float
    attributes: dict[str, Any]


class Receiver:
    """Keeps all spans that it gets, on a port of its own."""

    def __init__(self) -> None:
        self.spans: list[Span] = []
        self.statuses: list[int] = []  # of its next answers; what it answers with these, it does not keep
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                status = 200 if self.path == "/v1/traces" else 404
                status = receiver.statuses.pop(0) if receiver.statuses else status
                if status == 200:
                    receiver.spans.extend(_spans(ExportTraceServiceRequest.FromString(body)))
                answer = ExportTraceServiceResponse().SerializeToString()
                self.send_response(status)
                self.send_header("Content-Type", "application/x-protobuf")
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def of(self, request_id: str) -> list[Span]:
        """The spans with this request id."""
        return [span for span in self.spans if span.attributes.get("corkboard.request_id") == request_id]


def _spans(sent: Any) -> list[Span]:
    return [
        Span(
            _values(resource.resource.attributes)["service.name"],
            span.name,
            span.kind,
            span.trace_id.hex(),
            span.span_id.hex(),
            span.parent_span_id.hex(),
            (span.end_time_unix_nano - span.start_time_unix_nano) / 1e9,
            _values(span.attributes),
        )
        for resource in sent.resource_spans
        for scope in resource.scope_spans
        for span in scope.spans
    ]


def _values(attributes: Any) -> dict[str, Any]:
    return {each.key: getattr(each.value, each.value.WhichOneof("value")) for each in attributes}
