"""The Flask app: short requests, one Redis call a write, no sockets."""

from __future__ import annotations

import logging
import re
import secrets
import time
from collections.abc import Iterable
from typing import TYPE_CHECKING

from flask import Flask, Response, g, request

import corkboard.store
from wsgi_app import metrics, problems, settings, tickets
from wsgi_app.lean import App
from wsgi_app.notes import api, docs, pages, qr, store

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

log = logging.getLogger(__name__)

BODY_BYTES = 64 * 1024
REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{8,128}")


def create_app() -> Flask:
    """The app of one worker process, with a Redis connection pool of its own.

    Raises:
        SystemExit: a setting is missing or invalid.
    """
    app = App(__name__, static_folder=None, template_folder="notes/templates")
    configured = settings.load()
    app.json.sort_keys = False  # type: ignore[attr-defined]
    app.config.update(MAX_CONTENT_LENGTH=BODY_BYTES)
    app.extensions["settings"] = configured
    corkboard.store.use(store.connect(configured))
    app.before_request(_begin)
    app.after_request(_end)
    app.wsgi_app = _BehindNginx(app.wsgi_app)  # type: ignore[method-assign]
    problems.init_app(app)
    tickets.init_app(app, configured)
    metrics.init_app(app, configured.wsgi_metrics_port)
    if endpoint := configured.traces_to():
        from wsgi_app import tracing

        tracing.init_app(app, endpoint)
    pages.init_app(app)
    api.init_app(app)
    app.register_blueprint(qr.blueprint)
    app.register_blueprint(docs.blueprint)
    return app


class _BehindNginx:
    """Who asks, and how, is what nginx says, and it lets nobody else say it.

    Werkzeug's ProxyFix knows chains of proxies as well, and costs four times as much.
    """

    def __init__(self, app: WSGIApplication) -> None:
        self._app = app

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        environ["REMOTE_ADDR"] = environ.get("HTTP_X_FORWARDED_FOR") or environ["REMOTE_ADDR"]
        environ["wsgi.url_scheme"] = environ.get("HTTP_X_FORWARDED_PROTO") or environ["wsgi.url_scheme"]
        return self._app(environ, start_response)


def _begin() -> None:
    given = request.environ.get("HTTP_X_REQUEST_ID", "")
    known = g._get_current_object()
    known.request_id = chosen = given if REQUEST_ID.fullmatch(given) else secrets.token_hex(16)
    # Events carry it; the kit itself sees only what the client sent.
    corkboard.request_id.set(chosen)
    known.started = time.perf_counter()


def _end(response: Response) -> Response:
    known, asked = g._get_current_object(), request._get_current_object()  # type: ignore[attr-defined]
    response.headers.add("X-Request-Id", known.request_id)
    seconds = time.perf_counter() - known.started
    metrics.count(asked, response.status_code, seconds)
    # Nginx writes a line for every request, with the same id; a second one would cost as much as a 304.
    if log.isEnabledFor(logging.DEBUG):
        log.debug(
            "request",
            extra={
                "method": asked.method,
                "path": asked.path,
                "status": response.status_code,
                "milliseconds": round(seconds * 1000, 1),
            },
        )
    return response
