"""What Gunicorn refuses by itself, before there is a request that the app could answer."""

from __future__ import annotations

import json
import socket

from gunicorn import util  # type: ignore[import-untyped]


def write(client: socket.socket, status: int, reason: str, _detail: str) -> None:
    """Answers as the app does, and not with a page of Gunicorn's. The log has the detail.

    nginx knows the request's id, so it answers in place of this what is not valid HTTP: `@refused` in
    nginx/templates/site-demo.conf.template.
    """
    detail = "The request is not valid HTTP." if status == 400 else f"{reason}."
    document = {"type": "about:blank", "title": reason, "status": status, "detail": detail, "request_id": ""}
    body = json.dumps(document, separators=(",", ":"))
    head = [
        f"HTTP/1.1 {status} {reason}",
        "Connection: close",
        "Content-Type: application/problem+json",
        "Cache-Control: no-store",
        f"Content-Length: {len(body)}",
        *(["X-Accel-Redirect: @refused"] if status == 400 else []),
    ]
    util.write_nonblock(client, "\r\n".join([*head, "", body]).encode())
