"""Traces for OpenTelemetry: one span per request. Imported only where OTEL_EXPORTER_OTLP_ENDPOINT is set.

https://opentelemetry.io/docs/specs/semconv/http/http-spans/
"""

from __future__ import annotations

import time

from flask import Flask, Response, g, request

from traces import place
from traces.otlp import SERVER, Span
from traces.spans import Spans
from wsgi_app.metrics import METHODS

# Asked every few seconds, by machines.
UNTRACED = ("/healthz", "/readyz")


def init_app(app: Flask, endpoint: str) -> None:
    """Traces the requests of `app`, and sends the spans to the OTLP receiver at `endpoint`."""
    spans = Spans(endpoint, "corkboard-app")

    def note(response: Response) -> Response:
        if request.path not in UNTRACED:
            spans.note(_span(response))
        return response

    app.after_request(note)


def _span(response: Response) -> Span:
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
    # One that fails may be sent again, with the same id. The span's id is for the one that succeeds: events
    # name it.
    own, parent = (0, span) if is_given or response.status_code >= 500 else (span, 0)
    return Span(name, SERVER, trace, own, parent, start, end, attributes, response.status_code >= 500)
