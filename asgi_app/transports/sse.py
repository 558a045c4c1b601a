"""Server-sent events: for networks that let no WebSocket through.

https://html.spec.whatwg.org/multipage/server-sent-events.html
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator

from fastapi import Request
from fastapi.routing import APIRoute
from starlette.responses import Response
from starlette.routing import BaseRoute

from asgi_app import limits, metrics
from asgi_app.door import Door
from asgi_app.topics.cursor import Cursor
from asgi_app.topics.event import Batch
from asgi_app.topics.hub import Hub
from asgi_app.topics.listener import BACKLOG, REVOKED, TICKET_EXPIRED, Ending
from asgi_app.transports import messages
from asgi_app.transports.listening import Stream, listening
from asgi_app.transports.messages import CursorText, TopicName

# No topic was ever there: the answer is "not recovered".
NOWHERE = Cursor("0", 2**53)


def route(door: Door, hub: Hub) -> BaseRoute:
    """`GET /ws/events`."""

    async def events(request: Request, topic: TopicName, since: CursorText | None = None) -> Response:
        last = _cursor(request.headers.get("last-event-id") or since)
        stream = EventStream()
        block = listening(door, hub, request, topic, last, stream)
        return Stream(block, stream.chunks(), "text/event-stream")

    return APIRoute("/ws/events", events, methods=["GET"])


class EventStream:
    """The listener of one stream."""

    def __init__(self) -> None:
        self._pending: list[bytes] = []
        self._bytes = 0
        self._ended = False
        self._work = asyncio.Event()
        self._empty = asyncio.Event()

    def write(self, batch: Batch) -> None:
        self._put(batch.sse)

    def subscribed(self, topic: str, cursor: Cursor, recovered: bool) -> None:
        """Puts an event named `subscribed`. Its id makes a browser resume from there."""
        message = messages.subscribed(topic, cursor, recovered)
        self._put(b"event: subscribed\nid: %b\ndata: %b\n\n" % (str(cursor).encode(), message))

    async def drained(self) -> None:
        await self._empty.wait()

    def end(self, why: Ending) -> None:
        """Ends the stream. It says when to come back, spread a little; the answer then says why not."""
        if self._ended:
            return
        metrics.evictions.labels(why.code).inc()
        seconds = 0.1 if why in (TICKET_EXPIRED, REVOKED) else limits.RETRY_SECONDS
        self._pending.append(b"retry: %d\n\n" % round(seconds * random.uniform(1, 2) * 1000))
        self._ended = True
        self._work.set()

    async def chunks(self) -> AsyncIterator[bytes]:
        """What is to be sent, until the end."""
        while not self._ended or self._pending:
            self._work.clear()
            if self._pending:
                pending, self._pending, self._bytes = b"".join(self._pending), [], 0
                yield pending
                if not self._pending:
                    self._empty.set()
                continue
            try:
                async with asyncio.timeout(limits.COMMENT_SECONDS):
                    await self._work.wait()
            except TimeoutError:
                yield b": still here\n\n"

    def _put(self, data: bytes) -> None:
        if self._ended:
            return
        if self._bytes > limits.BACKLOG_BYTES:
            # It comes back with Last-Event-ID, and loses nothing.
            self._pending.clear()
            self.end(BACKLOG)
            return
        self._pending.append(data)
        self._bytes += len(data)
        self._empty.clear()
        self._work.set()


def _cursor(text: str | None) -> Cursor | None:
    if text is None:
        return None
    try:
        return Cursor.parse(text)
    except ValueError:
        return NOWHERE
