"""What tells an operator how the sidecar is."""

from __future__ import annotations

from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from redis.asyncio import Redis
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from asgi_app import limits, metrics, redis_numbers
from asgi_app.door import Door
from asgi_app.problems import problem

FILLS_UP = "Redis uses over 80 % of its memory; at 95 % nothing is added any more."


def routes(door: Door, redis: Redis) -> list[BaseRoute]:
    """`/ws/healthz`: this process is alive. `/ws/readyz`: it also serves clients; else 503.

    The latter warns when Redis fills up.

    `/metrics`: everything that it counts, and what its Redis says about itself; nginx does not pass it on.
    """
    metrics.ready.set_function(lambda: door.unavailable() is None)

    async def healthz(_request: Request) -> Response:
        return JSONResponse({"status": "ok"})

    async def readyz(request: Request) -> Response:
        reason = door.unavailable()
        if reason is not None:
            return problem(request, 503, reason)
        await redis_numbers.refresh(redis, limits.PROBE_SECONDS)
        if (redis_numbers.filled() or 0) < limits.FILLED_RATIO:
            return JSONResponse({"status": "ready"})
        return JSONResponse({"status": "ready", "warning": FILLS_UP})

    async def numbers(_request: Request) -> Response:
        await redis_numbers.refresh(redis)
        return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)

    return [Route("/ws/healthz", healthz), Route("/ws/readyz", readyz), Route("/metrics", numbers)]
