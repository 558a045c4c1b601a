"""The sidecar: holds every socket, knows topics, not notes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from fastapi import FastAPI
from starlette.routing import WebSocketRoute
from starlette.types import ASGIApp, Receive, Scope, Send

from asgi_app import asyncapi, health, leaving, limits, metrics, outage, presence, problems, tasks, transports
from asgi_app.client import scripts
from asgi_app.door import Door
from asgi_app.server import watchdog
from asgi_app.settings import Settings
from asgi_app.topics import topic
from asgi_app.topics.hub import Hub
from asgi_app.topics.listener import Listeners
from asgi_app.topics.shards import Shards, source
from asgi_app.topics.whispers import Whispers

if TYPE_CHECKING:
    from asgi_app.tracing import Tracing


class Sidecar:
    """The ASGI application of one process: one reader, one hub, one door, one set of listeners."""

    def __init__(self, settings: Settings) -> None:
        self.listeners = Listeners()
        self._reader = source(settings, self.listeners.revoke)
        metrics.reader_silence.set_function(lambda: self._reader.silence)
        self._in_cluster = isinstance(self._reader, Shards)
        self._whispers = Whispers(self._reader.redis, settings.whisper_topics)
        self._hub = Hub(self._reader, self._whispers, limits.TOPICS_PER_SOCKET * settings.max_sockets)
        self.door = Door(settings, self._reader, self.listeners)
        self.queue = leaving.Queue(self._reader.redis, settings.drain_seconds)
        routes = [
            *transports.routes(self.door, self._hub),
            *scripts.routes(),
            *asyncapi.routes(),
            *health.routes(self.door, self._reader.redis),
        ]
        self._tracing = _tracing(settings.traces_to())
        self._app = FastAPI(
            title="Corkboard sidecar",
            lifespan=self._lifespan,
            routes=routes,
            docs_url=None,
            redoc_url=None,
            openapi_url=None,
        )
        problems.init_app(self._app)
        # WebSockets do not pass FastAPI: what it does for each costs more than serving it.
        self._websockets: dict[str, ASGIApp] = {
            route.path: route.app for route in routes if isinstance(route, WebSocketRoute)
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        websocket = self._websockets.get(scope["path"]) if scope["type"] == "websocket" else None
        await (websocket or self._app)(scope, receive, send)

    @asynccontextmanager
    async def _lifespan(self, _app: FastAPI) -> AsyncIterator[None]:
        # Redis may be away: the reader keeps trying, and readyz tells.
        jobs = [
            asyncio.create_task(job)
            for job in (
                self._reader.run(),
                self._whispers.run(),
                self._hub.keep_trimmed(),
                self.door.allowances.keep_few(),
                presence.Counter(self._reader.redis, self._hub, older=not self._in_cluster).run(),
                outage.Outage(self._reader, self._hub, self.listeners).run(),
                watchdog.watch(),
            )
        ]
        yield
        await tasks.end(jobs)
        await self._reader.close()
        if self._tracing is not None:
            await asyncio.to_thread(self._tracing.end)


def _tracing(endpoint: str | None) -> Tracing | None:
    if endpoint is None:
        return None
    from asgi_app.tracing import Tracing

    tracing = Tracing(endpoint)
    topic.on_delivered = tracing.delivered
    return tracing
