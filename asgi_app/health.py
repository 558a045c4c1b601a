"""What tells an operator how the sidecar is."""

from __future__ import annotations

from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from redis.asyncio import Redis
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from asgi_app import metrics, redis_numbers
from asgi_app.door import Door
from asgi_app.problems import problem


def routes(door: Door, redis: Redis) -> list[BaseRoute]:
    """`/ws/healthz`: this process is alive. `/ws/readyz`: it also serves clients; else 503.

    `/metrics`: everything that it counts, and what its Redis says about itself; nginx does not pass it on.
    """
    metrics.ready.set_function(lambda: door.unavailable() is None)

    async def healthz(_request: Request) -> Response:
        return JSONResponse({"status": "ok"})

    async def readyz(request: Request) -> Response:
        reason = door.unavailable()
        return JSONResponse({"status": "ready"}) if reason is None else problem(request, 503, reason)

    async def numbers(_request: Request) -> Response:
        await redis_numbers.refresh(redis)
        return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)

    return [Route("/ws/healthz", healthz), Route("/ws/readyz", readyz), Route("/metrics", numbers)]
