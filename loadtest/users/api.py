"""Sends the requests that target.py describes."""

from __future__ import annotations

from typing import Any

from locust.contrib.fasthttp import FastHttpSession, ResponseContextManager

from loadtest import http, target


def ask(
    client: FastHttpSession, request: target.Request, *, etag: str | None = None, **headers: str
) -> ResponseContextManager:
    """Sends a request; use it in a `with` block, and call `succeeded` in the block.

    Underscores in the names of headers stand for dashes.
    """
    all_headers = target.HEADERS | {name.replace("_", "-"): value for name, value in headers.items()}
    if etag:
        all_headers["If-None-Match"] = etag
    options: dict[str, Any] = {"json": request.json} if request.json is not None else {}
    answer: ResponseContextManager = client.request(
        request.method, request.path, name=request.name, headers=all_headers, catch_response=True, **options
    )
    return answer


def succeeded(answer: ResponseContextManager) -> bool:
    """Whether the status is 2xx. Anything else is recorded as a failure, with the server's detail."""
    if 200 <= answer.status_code < 300:
        return True
    if answer.status_code:
        answer.failure(f"{answer.status_code} {http.detail(answer.content or b'')}".strip())
    else:
        answer.failure(getattr(answer, "error", None) or "no answer")
    return False
