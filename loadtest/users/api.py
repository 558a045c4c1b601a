"""How users send what target.py describes."""

from __future__ import annotations

from typing import Any

from locust.contrib.fasthttp import FastHttpSession, ResponseContextManager

from loadtest import http, target


def ask(
    client: FastHttpSession, request: target.Request, *, etag: str | None = None, **headers: str
) -> ResponseContextManager:
    """Sends a request. To be used with `with`, and judged by `succeeded` inside. Underscores in the
    names of headers stand for dashes."""
    all_headers = target.HEADERS | {name.replace("_", "-"): value for name, value in headers.items()}
    if etag:
        all_headers["If-None-Match"] = etag
    options: dict[str, Any] = {"json": request.json} if request.json is not None else {}
    answer: ResponseContextManager = client.request(
        request.method, request.path, name=request.name, headers=all_headers, catch_response=True, **options
    )
    return answer


def succeeded(answer: ResponseContextManager) -> bool:
    """Whether the status is 2xx; anything else becomes a failure with the server's own words."""
    if 200 <= answer.status_code < 300:
        return True
    if answer.status_code:
        answer.failure(f"{answer.status_code} {http.detail(answer.content or b'')}".strip())
    else:
        answer.failure(getattr(answer, "error", None) or "no answer")
    return False
