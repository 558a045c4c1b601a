"""OpenTelemetry: one span per request. Imported only where OTEL_EXPORTER_OTLP_ENDPOINT is set.

https://opentelemetry.io/docs/specs/semconv/http/http-spans/
"""

from __future__ import annotations

import time

from flask import Flask, Response, g, request
from opentelemetry.trace import SpanKind

from traces import place
from traces.spans import Spans
from wsgi_app.metrics import METHODS

# Asked every few seconds, by machines.
UNTRACED = ("/healthz", "/readyz")


def init_app(app: Flask, endpoint: str) -> None:
    """Traces the requests of `app`, and sends the spans to the OTLP receiver at `endpoint`."""
    spans = Spans(endpoint, "corkboard-app")

    def trace(response: Response) -> Response:
        if request.path not in UNTRACED:
            _note(spans, response)
        return response

    app.after_request(trace)


def _note(spans: Spans, response: Response) -> None:
    end = time.time_ns()
    start = end - int((time.perf_counter() - g.started) * 1e9)
    # A client can make up methods, and spans are grouped by their names.
    known = request.method in METHODS
    attributes: dict[str, str | int] = {
        "http.request.method": request.method if known else "_OTHER",
        "http.response.status_code": response.status_code,
        "corkboard.request_id": g.request_id,
    }
    name = request.method if known else "HTTP"
    if request.url_rule is not None:
        attributes["http.route"] = request.url_rule.rule
        name += f" {request.url_rule.rule}"
    trace, span, is_given = place(g.request_id)
    spans.note(
        name,
        SpanKind.SERVER,
        attributes,
        (start, end),
        trace=trace,
        span=0 if is_given else span,
        parent=span if is_given else 0,
        has_failed=response.status_code >= 500,
    )
