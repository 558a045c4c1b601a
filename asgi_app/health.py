"""What tells an operator how the sidecar is."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import JSONResponse, Response

from asgi_app.problems import problem

router = APIRouter(prefix="/ws")


@router.get("/healthz")
async def healthz() -> Response:
    """This process is alive."""
    return JSONResponse({"status": "ok"})


@router.get("/readyz")
async def readyz(request: Request) -> Response:
    """This process can serve: it listens to Redis and heard of it a moment ago. Else 503."""
    if request.app.state.door.closing:
        return problem(503, "This process is about to end.", request.headers.get("x-request-id", ""))
    if not request.app.state.reader.ready:
        return problem(503, "Redis is not heard of.", request.headers.get("x-request-id", ""))
    return JSONResponse({"status": "ready"})
