"""Errors as problem documents (RFC 9457)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import HTTPConnection
from starlette.responses import Response

from asgi_app import limits


def document(status: int, detail: str, request_id: str = "", **more: Any) -> bytes:
    """The document that says what is wrong; `more` are further members of it."""
    members = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        "request_id": request_id,
        **more,
    }
    return json.dumps(members).encode()


def problem(
    connection: HTTPConnection,
    status: int,
    detail: str,
    headers: Mapping[str, str] | None = None,
    **more: Any,
) -> Response:
    """The answer to `connection` that says what is wrong; `more` are further members of the document."""
    retry = {"Retry-After": str(limits.RETRY_SECONDS)} if status in (429, 503) else {}
    return Response(
        document(status, detail, connection.headers.get("x-request-id", ""), **more),
        status,
        {**retry, **(headers or {})},
        media_type="application/problem+json",
    )


def problem_of(connection: HTTPConnection, error: HTTPException) -> Response:
    """The same, for an exception."""
    return problem(connection, error.status_code, error.detail, error.headers)


def init_app(app: FastAPI) -> None:
    """Makes `app` answer with problem documents to exceptions and invalid parameters."""
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)


async def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101  (registered for nothing else)
    return problem_of(request, error)


async def _invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # noqa: S101
    errors = [
        {"field": ".".join(str(part) for part in one["loc"][1:]), "detail": one["msg"]}
        for one in error.errors()
    ]
    detail = "; ".join(f"{one['field']}: {one['detail']}" for one in errors)
    return problem(request, 422, detail, errors=errors)
