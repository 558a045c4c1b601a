"""Tells every client when events cannot arrive, and when they do again."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

from asgi_app import limits
from asgi_app.topics.event import Notice
from asgi_app.topics.hub import Hub
from asgi_app.topics.listener import Listeners
from asgi_app.topics.source import Source
from asgi_app.transports.messages import Behind, Current


class Outage:
    """Looks now and then: it costs nothing per event, and a Redis that comes and goes is told of seldom."""

    def __init__(self, reader: Source, hub: Hub, listeners: Listeners) -> None:
        self._reader = reader
        self._hub = hub
        self._listeners = listeners

    async def run(self) -> None:
        """Looks until it is cancelled. Never fails."""
        while True:
            await self._until(is_late=True)
            since = datetime.now(UTC) - timedelta(seconds=self._reader.late)
            behind = Behind(since=since.isoformat(timespec="milliseconds").replace("+00:00", "Z"))
            self._listeners.news = Notice("behind", behind.model_dump_json().encode())
            await self._tell(self._listeners.news)
            await self._until(is_late=False)
            await self._hub.written()
            self._listeners.news = None
            await self._tell(Notice("current", Current().model_dump_json().encode()))

    async def _until(self, is_late: bool) -> None:
        while True:
            await asyncio.sleep(limits.LATE_LOOK_SECONDS)
            if (self._reader.late > limits.LATE_SECONDS) is is_late:
                return

    async def _tell(self, notice: Notice) -> None:
        for number, listener in enumerate(self._listeners):
            if number % limits.SLICE_LISTENERS == 0:
                # Others have a turn; the first time, so that a handshake of just now is answered before.
                await asyncio.sleep(0)
            if listener in self._listeners:
                listener.write(notice)
