"""The Flask app: short requests, one Redis call a write, no sockets."""

from __future__ import annotations

import logging
import re
import secrets
import time

from flask import Flask, Response, g, request
from werkzeug.middleware.proxy_fix import ProxyFix

import corkboard.store
from wsgi_app import metrics, problems, settings, tickets
from wsgi_app.notes import api, docs, pages, store

log = logging.getLogger(__name__)

BODY_BYTES = 64 * 1024
REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{8,128}")


def create_app() -> Flask:
    """The app of one worker process, with a Redis connection pool of its own.

    Raises:
        SystemExit: a setting is missing or invalid.
    """
    app = Flask(__name__, static_folder=None, template_folder="notes/templates")
    configured = settings.load()
    app.json.sort_keys = False  # type: ignore[attr-defined]
    app.config.update(MAX_CONTENT_LENGTH=BODY_BYTES)
    app.extensions["settings"] = configured
    corkboard.store.use(store.connect(configured))
    app.before_request(_begin)
    app.after_request(_end)
    # One proxy stands before the app; who it says the client is counts, and nobody else's word.
    app.wsgi_app = ProxyFix(app.wsgi_app, x_for=1, x_proto=1)  # type: ignore[method-assign]
    problems.init_app(app)
    tickets.init_app(app, configured)
    metrics.init_app(app, configured.wsgi_metrics_port)
    pages.init_app(app)
    api.init_app(app)
    app.register_blueprint(docs.blueprint)
    return app


def _begin() -> None:
    given = request.headers.get("X-Request-Id", "")
    g.request_id = given if REQUEST_ID.fullmatch(given) else secrets.token_hex(16)
    # Events carry it; the kit itself sees only what the client sent.
    corkboard.request_id.set(g.request_id)
    g.started = time.perf_counter()


def _end(response: Response) -> Response:
    response.headers["X-Request-Id"] = g.request_id
    # Nginx writes a line for every request, with the same id; a second one would cost as much as a 304.
    if log.isEnabledFor(logging.DEBUG):
        log.debug(
            "request",
            extra={
                "method": request.method,
                "path": request.path,
                "status": response.status_code,
                "milliseconds": round((time.perf_counter() - g.started) * 1000, 1),
            },
        )
    return response
