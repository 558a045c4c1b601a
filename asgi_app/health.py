"""What tells an operator how the sidecar is."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from asgi_app.door import Door
from asgi_app.problems import problem


def routes(door: Door) -> list[BaseRoute]:
    """`/ws/healthz`: this process is alive. `/ws/readyz`: it also serves clients; else 503."""

    async def healthz(_request: Request) -> Response:
        return JSONResponse({"status": "ok"})

    async def readyz(request: Request) -> Response:
        reason = door.unavailable()
        return JSONResponse({"status": "ready"}) if reason is None else problem(request, 503, reason)

    return [Route("/ws/healthz", healthz), Route("/ws/readyz", readyz)]
