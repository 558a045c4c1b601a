"""What Prometheus asks for: on a port of its own, summed over the worker processes.

https://prometheus.github.io/client_python/multiprocess/
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from functools import cache
from typing import TYPE_CHECKING

from flask import Flask, Request
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, make_wsgi_app, multiprocess

from corkboard.store import default

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

METHODS = {"GET", "HEAD", "POST", "PATCH", "DELETE", "OPTIONS", "PUT"}
SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5)

requests = Counter("corkboard_http_requests", "Requests answered", ["route", "method", "status"])
latency = Histogram(
    "corkboard_http_request_seconds", "From the request to the answer's head", ["route"], buckets=SECONDS
)
redis_latency = Histogram(
    "corkboard_redis_call_seconds", "One call, waiting for a connection included", ["call"], buckets=SECONDS
)
redis_failures = Counter("corkboard_redis_failures", "Calls that Redis did not answer or refused", ["call"])
redis_in_use = Gauge(
    "corkboard_redis_connections_in_use", "Connections that carry a call now", multiprocess_mode="livesum"
)


# A metric's child with its labels, found once: `labels` costs more than what is done with its answer.
_requests = cache(requests.labels)
_latency = cache(latency.labels)
_redis_latency = cache(redis_latency.labels)


class timed:  # noqa: N801
    """Measures one Redis call, and counts it when it fails."""

    __slots__ = ("_call", "_started")

    def __init__(self, call: str) -> None:
        self._call = call

    def __enter__(self) -> None:
        self._started = time.perf_counter()

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None and issubclass(kind, Exception):
            redis_failures.labels(self._call).inc()
        _redis_latency(self._call).observe(time.perf_counter() - self._started)


def look() -> None:
    """Notes what is counted elsewhere. Called a few times a second."""
    redis_in_use.set(default().in_use)


def count(request: Request, status: int, seconds: float) -> None:
    """Counts an answer, and how long it took."""
    route = request.url_rule.rule if request.url_rule else "unmatched"
    # Each label value is kept for ever, so a client must not be able to make up new ones.
    _requests(route, request.method if request.method in METHODS else "other", status).inc()
    _latency(route).observe(seconds)


def init_app(app: Flask, port: int) -> None:
    """Answers the metrics on `port`, which Gunicorn listens to as well."""
    registry = CollectorRegistry()
    multiprocess.MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    app.wsgi_app = _ByPort(app.wsgi_app, make_wsgi_app(registry), str(port))  # type: ignore[method-assign]


class _ByPort:
    """The metrics to whoever came to their port, the app to everybody else."""

    def __init__(self, app: WSGIApplication, metrics: WSGIApplication, port: str) -> None:
        self._app = app
        self._metrics = metrics
        self._port = port

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        chosen = self._metrics if environ["SERVER_PORT"] == self._port else self._app
        return chosen(environ, start_response)
