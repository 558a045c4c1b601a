"""Errors as problem documents (RFC 9457)."""

from __future__ import annotations

import json
from http import HTTPStatus

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response

RETRY_SECONDS = 1


def problem(
    status: int,
    detail: str,
    request_id: str = "",
    headers: dict[str, str] | None = None,
    errors: list[dict[str, str]] | None = None,
) -> Response:
    """A problem document as an answer."""
    document = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        "request_id": request_id,
        **({"errors": errors} if errors is not None else {}),
    }
    retry = {"Retry-After": str(RETRY_SECONDS)} if status in (429, 503) else {}
    return Response(
        json.dumps(document), status, {**retry, **(headers or {})}, media_type="application/problem+json"
    )


async def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101  (registered for nothing else)
    request_id = request.headers.get("x-request-id", "")
    return problem(error.status_code, error.detail, request_id, dict(error.headers or {}))


async def _invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # noqa: S101
    errors = [
        {"field": ".".join(str(part) for part in one["loc"][1:]), "detail": one["msg"]}
        for one in error.errors()
    ]
    detail = "; ".join(f"{one['field']}: {one['detail']}" for one in errors)
    return problem(422, detail, request.headers.get("x-request-id", ""), errors=errors)


def init_app(app: FastAPI) -> None:
    """Registers the handlers."""
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
