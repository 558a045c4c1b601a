"""The sidecar: holds every socket, knows topics, not notes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from asgi_app import health, metrics, presence, problems, tasks
from asgi_app.client import scripts
from asgi_app.door import Door
from asgi_app.server import watchdog
from asgi_app.settings import Settings
from asgi_app.topics.hub import Hub
from asgi_app.topics.reader import Reader
from asgi_app.transports import poll, sse
from asgi_app.transports.session import Session
from asgi_app.transports.websocket import WebSocketEndpoint

TRIM_SECONDS = 5.0


def create_app(settings: Settings) -> FastAPI:
    """The sidecar of one process: one reader, one hub, one door, and three ways to listen."""
    sessions: set[Session] = set()

    def revoked(subject: str, until: float) -> None:
        for one in (*sessions, *app.state.streams, *app.state.waiters):
            ticket = one.ticket
            if ticket is not None and ticket.subject == subject and ticket.issued <= until:
                one.revoked()

    reader = Reader(settings, revoked)
    hub = Hub(reader)
    door = Door(settings, reader)

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        # Redis may be away: the reader keeps trying, and readyz tells.
        jobs = [
            asyncio.create_task(job)
            for job in (
                reader.run(),
                presence.Counter(reader.redis, hub).run(),
                watchdog.watch(),
                _keep_trimmed(hub),
            )
        ]
        yield
        await tasks.end(jobs)
        await reader.close()

    app = FastAPI(
        title="Corkboard sidecar", lifespan=lifespan, docs_url=None, redoc_url=None, openapi_url=None
    )
    app.state.reader, app.state.hub, app.state.door = reader, hub, door
    app.state.sessions, app.state.streams, app.state.waiters = sessions, set(), set()
    problems.init_app(app)
    app.state.websocket = WebSocketEndpoint(door, hub, sessions, settings)
    app.router.routes.append(Route("/metrics", metrics.endpoint))
    app.include_router(sse.router)
    app.include_router(poll.router)
    app.include_router(health.router)
    app.router.routes.extend(scripts.routes())
    return app


class Entrance:
    """The ASGI callable. WebSockets do not pass FastAPI: what it does for each costs more than serving it."""

    def __init__(self, app: FastAPI) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves one connection."""
        if scope["type"] == "websocket" and scope["path"] == "/ws":
            await self._app.state.websocket(scope, receive, send)
        else:
            await self._app(scope, receive, send)


async def _keep_trimmed(hub: Hub) -> None:
    while True:
        await asyncio.sleep(TRIM_SECONDS)
        hub.trim()
