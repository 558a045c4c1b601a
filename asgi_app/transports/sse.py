"""Server-sent events: the same events for whoever cannot keep a WebSocket.

https://html.spec.whatwg.org/multipage/server-sent-events.html
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from typing import Any

from fastapi import APIRouter, Request
from redis.exceptions import RedisError
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from asgi_app.door import Guest
from asgi_app.tickets import Ticket
from asgi_app.topics.cursor import Cursor
from asgi_app.topics.event import Batch
from asgi_app.topics.hub import Hub
from asgi_app.transports.messages import CursorText, Subscribed, TopicName

router = APIRouter()

MAX_BYTES = 1024 * 1024
# A comment now and then keeps proxies from hanging up, and finds out who is gone.
KEEP_ALIVE_SECONDS = 15.0


class EventStream:
    """The writing side of one stream."""

    def __init__(self, ticket: Ticket | None) -> None:
        self.ticket = ticket
        self._pending: list[bytes] = []
        self._bytes = 0
        self._ended = False
        self._work = asyncio.Event()
        self._empty = asyncio.Event()

    def write(self, batch: Batch) -> None:
        """Takes the next events."""
        self._put(batch.sse)

    def subscribed(self, topic: str, cursor: Cursor, recovered: bool) -> None:
        """Takes where the topic is: an event named `subscribed`. Its id makes a browser resume from there."""
        message = Subscribed(topic=topic, cursor=str(cursor), recovered=recovered).model_dump_json()
        self._put(f"event: subscribed\nid: {cursor}\ndata: {message}\n\n".encode())

    async def drained(self) -> None:
        """Returns when everything has been handed to the server."""
        await self._empty.wait()

    def end(self, retry_seconds: float) -> None:
        """Ends the stream; the client comes back after this time, somewhere between it and its double."""
        milliseconds = round(retry_seconds * random.uniform(1, 2) * 1000)
        self._put(f"retry: {milliseconds}\n\n".encode())
        self._ended = True

    def revoked(self) -> None:
        """Its ticket was taken back; when the client asks again, it is refused."""
        self.end(0.1)

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
                async with asyncio.timeout(KEEP_ALIVE_SECONDS):
                    await self._work.wait()
            except TimeoutError:
                yield b": still here\n\n"

    def _put(self, data: bytes) -> None:
        if self._ended:
            return
        if self._bytes > MAX_BYTES:
            # It comes back with Last-Event-ID, and loses nothing.
            self._pending.clear()
            self._ended = True
        else:
            self._pending.append(data)
            self._bytes += len(data)
        self._empty.clear()
        self._work.set()


@router.get("/ws/events", response_class=StreamingResponse)
async def events(request: Request, topic: TopicName, since: CursorText | None = None) -> Response:
    """All events of a topic, from `since` or the header Last-Event-ID on."""
    guest = request.app.state.door.admit(request, topic)
    if isinstance(guest, Response):
        return guest
    last = request.headers.get("last-event-id") or since
    return _StreamResponse(request.app.state, guest, topic, _cursor(last))


class _StreamResponse(StreamingResponse):
    """Serves one stream.

    Whatever has to be undone is undone here and not in the generator: when the client leaves, Starlette
    cancels that one again and again: it gets no further than its next `await`, and may not have begun.
    """

    def __init__(self, state: Any, guest: Guest, topic: str, since: Cursor | None) -> None:
        self._stream = EventStream(guest.ticket)
        headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        super().__init__(self._stream.chunks(), media_type="text/event-stream", headers=headers)
        self._state = state
        self._guest = guest
        self._topic = topic
        self._since = since

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        stream, hub, streams = self._stream, self._state.hub, self._state.streams
        streams.add(stream)
        left = self._state.door.seconds_left(self._guest, self._topic)
        expiry = None if left is None else asyncio.get_running_loop().call_later(left, stream.end, 0.1)
        subscribing = asyncio.create_task(_subscribe(hub, self._topic, self._since, stream))
        try:
            await super().__call__(scope, receive, send)
        finally:
            streams.discard(stream)
            if expiry is not None:
                expiry.cancel()
            subscribing.cancel()
            (subscribed,) = await asyncio.gather(subscribing, return_exceptions=True)
            if subscribed is True:
                hub.unsubscribe(self._topic, stream)
            self._state.door.leave(self._guest)


async def _subscribe(hub: Hub, topic: str, since: Cursor | None, stream: EventStream) -> bool:
    try:
        await hub.subscribe(topic, since, stream)
    except (RedisError, TimeoutError):
        stream.end(1)
        return False
    return True


def _cursor(text: str | None) -> Cursor | None:
    if text is None:
        return None
    try:
        return Cursor.parse(text)
    except ValueError:
        return Cursor("0", 2**53)  # no topic was ever there: the answer is "not recovered"
