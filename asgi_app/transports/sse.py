"""Server-sent events: for networks that let no WebSocket through.

https://html.spec.whatwg.org/multipage/server-sent-events.html
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import AbstractContextManager

from fastapi import Request
from fastapi.routing import APIRoute
from starlette.responses import Response
from starlette.routing import BaseRoute
from starlette.types import Receive, Scope, Send

from asgi_app import limits, metrics
from asgi_app.door import Door
from asgi_app.topics.cursor import Cursor
from asgi_app.topics.event import Batch
from asgi_app.topics.hub import Hub
from asgi_app.topics.listener import BACKLOG, REVOKED, TICKET_EXPIRED, Ending
from asgi_app.transports import messages
from asgi_app.transports.http import hung_up, listening
from asgi_app.transports.messages import CursorText, TopicName

# No topic was ever there: the answer is "not recovered".
NOWHERE = Cursor("0", 2**53)
# Sent now and then: it keeps proxies from hanging up, and finds out who is gone.
IDLE = b": still here\n\n"


def route(door: Door, hub: Hub) -> BaseRoute:
    """`GET /ws/events`."""

    async def events(request: Request, topic: TopicName, since: CursorText | None = None) -> Response:
        last = _cursor(request.headers.get("last-event-id") or since)
        stream = EventStream()
        return Answer(listening(door, hub, request, topic, last, stream), stream)

    return APIRoute("/ws/events", events, methods=["GET"])


class EventStream:
    """The listener of one stream: a bounded queue of bytes."""

    def __init__(self) -> None:
        self._pending: list[bytes] = []
        self._bytes = 0
        self._ended = False
        self._work = asyncio.Event()
        self._empty = asyncio.Event()

    def write(self, batch: Batch) -> None:
        self._put(batch.sse)

    def whisper(self, batch: Batch) -> None:
        if self._empty.is_set():
            self._put(batch.sse)

    def subscribed(self, topic: str, cursor: Cursor, recovered: bool) -> None:
        """Puts an event named `subscribed`. Its id makes a browser resume from there."""
        message = messages.subscribed(topic, cursor, recovered)
        self._put(b"event: subscribed\nid: %b\ndata: %b\n\n" % (str(cursor).encode(), message))

    async def drained(self) -> None:
        await self._empty.wait()

    def end(self, why: Ending) -> None:
        """Sends what waits, and when to come back, spread a little. A client that may not is refused then."""
        if not self._ended:
            metrics.evictions.labels(why.code).inc()
            seconds = 0.1 if why in (TICKET_EXPIRED, REVOKED) else limits.RETRY_SECONDS
            self._pending.append(b"retry: %d\n\n" % round(seconds * random.uniform(1, 2) * 1000))
            self._finish()

    def leave(self) -> None:
        """Ends it for a client that is gone: nothing more is sent."""
        self._pending.clear()
        self._finish()

    async def chunks(self) -> AsyncIterator[bytes]:
        """What is to be sent, until the end."""
        while not self._ended or self._pending:
            self._work.clear()
            if self._pending:
                yield self._take()
                if not self._pending:
                    self._empty.set()
                continue
            try:
                async with asyncio.timeout(limits.IDLE_SECONDS):
                    await self._work.wait()
            except TimeoutError:
                yield IDLE

    def _put(self, data: bytes) -> None:
        # A client that does not read is ended; it comes back with its cursor.
        if self._ended:
            return
        if self._bytes > limits.BACKLOG_BYTES:
            self._pending.clear()
            self.end(BACKLOG)
            return
        self._pending.append(data)
        self._bytes += len(data)
        self._empty.clear()
        self._work.set()

    def _finish(self) -> None:
        self._ended = True
        self._work.set()

    def _take(self) -> bytes:
        # Some of what waits, not all: until it is put together all listeners share it.
        taken, size = 0, 0
        while taken < len(self._pending) and size < limits.REPLAY_BYTES:
            size += len(self._pending[taken])
            taken += 1
        some = b"".join(self._pending[:taken])
        del self._pending[:taken]
        self._bytes -= size
        return some


class Answer(Response):
    """The response of a stream. It listens from before its first byte until after its last.

    Starlette's own cancels the sender when the client hangs up. What is cancelled holds itself, and all that
    waits to be sent, until the garbage collector comes.
    """

    media_type = "text/event-stream"

    def __init__(self, block: AbstractContextManager[object], stream: EventStream) -> None:
        # Unbuffered, by nginx too, and never kept.
        super().__init__(headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"})
        del self.headers["content-length"]
        self._block = block
        self._stream = stream

    async def __call__(self, _scope: Scope, receive: Receive, send: Send) -> None:
        with self._block:
            await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
            watching = asyncio.create_task(self._watch(receive))
            try:
                async for some in self._stream.chunks():
                    await send({"type": "http.response.body", "body": some, "more_body": True})
                await send({"type": "http.response.body", "body": b"", "more_body": False})
            finally:
                watching.cancel()

    async def _watch(self, receive: Receive) -> None:
        await hung_up(receive)
        self._stream.leave()


def _cursor(text: str | None) -> Cursor | None:
    if text is None:
        return None
    try:
        return Cursor.parse(text)
    except ValueError:
        return NOWHERE
