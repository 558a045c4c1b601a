"""An app that knows nothing of Corkboard: plain WSGI, which tells what reached it.

python -m tests.harness.foreign_app werkzeug PORT     as `flask run` serves it
python -m tests.harness.foreign_app wsgiref PORT      as Django's `runserver` does
"""

from __future__ import annotations

import hashlib
import json
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import Any
from wsgiref.simple_server import make_server

Headers = list[tuple[str, str]]
# What an app may well send, and a proxy likes to change. X-Accel-Redirect would lead into the proxy.
SENT: Headers = [
    ("Content-Type", "text/html"),
    ("Content-Security-Policy", "default-src *"),
    ("Referrer-Policy", "same-origin"),
    ("X-Frame-Options", "SAMEORIGIN"),
    ("ETag", '"abc"'),
    ("Vary", "Cookie"),
    ("X-Request-Id", "the-apps-own"),
    ("X-Accel-Redirect", "/ws/nginx/problem"),
    ("X-Accel-Limit-Rate", "1"),
    ("Location", "http://app/next"),
    ("Refresh", "9; url=http://app/next"),
    ("Set-Cookie", "a=1; Path=/; Secure"),
    ("Set-Cookie", "b=2; HttpOnly"),
]
PAGE = b"<p>text that is worth compressing</p>" * 1000

received: dict[str, int] = {}
may_go_on = threading.Event()


def app(environ: dict[str, Any], start_response: Callable[[str, Headers], object]) -> Iterable[bytes]:
    """/page, /stream, /accelerated, /refuse, /received, /go; anything else is told what was asked."""
    path = environ["PATH_INFO"]
    if path == "/page":
        start_response("200 OK", [*SENT, ("Content-Length", str(len(PAGE)))])
        return [PAGE]
    if path in ("/stream", "/accelerated"):
        may_go_on.clear()
        extra = [("X-Accel-Buffering", "no")] if path == "/accelerated" else []
        start_response("200 OK", [("Content-Type", "text/event-stream"), *extra])
        return _stream()
    if path == "/go":
        may_go_on.set()
    elif path == "/refuse":
        start_response("413 Too Much", [("Content-Type", "text/plain"), ("Content-Length", "8")])
        return [b"too much"]
    elif path == "/received":
        return _json(start_response, received)
    return _json(
        start_response,
        {
            "method": environ["REQUEST_METHOD"],
            "target": environ.get("REQUEST_URI") or environ.get("RAW_URI"),
            "headers": {name[5:]: value for name, value in environ.items() if name.startswith("HTTP_")},
            "type": environ.get("CONTENT_TYPE", ""),
            **_read(environ, path),
        },
    )


def _stream() -> Iterator[bytes]:
    yield b"data: first\n\n"
    may_go_on.wait(30)
    yield b"data: second\n\n"


def _read(environ: dict[str, Any], path: str) -> dict[str, Any]:
    digest, total = hashlib.sha256(), 0
    left = int(environ.get("CONTENT_LENGTH") or 0)
    chunked = environ.get("wsgi.input_terminated") and not left
    while chunked or left > 0:
        part = environ["wsgi.input"].read(1 << 16 if chunked else min(left, 1 << 16))
        if not part:
            break
        left -= len(part)
        total += len(part)
        digest.update(part)
        received[path] = total
    return {"bytes": total, "sha256": digest.hexdigest()}


def _json(start_response: Callable[[str, Headers], object], document: object) -> list[bytes]:
    body = json.dumps(document).encode()
    start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
    return [body]


if __name__ == "__main__":
    kind, port = sys.argv[1], int(sys.argv[2])
    if kind == "wsgiref":
        make_server("127.0.0.1", port, app).serve_forever()
    else:
        from werkzeug.serving import run_simple

        run_simple("127.0.0.1", port, app, threaded=True)
