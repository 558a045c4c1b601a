"""What the transports over plain HTTP share: one request listens to one topic."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractContextManager, contextmanager

from redis.exceptions import RedisError
from starlette.requests import HTTPConnection
from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from asgi_app import limits, metrics
from asgi_app.door import Door
from asgi_app.topics.budget import Allowance, Crowded, TooManyTopics
from asgi_app.topics.cursor import Cursor
from asgi_app.topics.hub import Hub
from asgi_app.topics.listener import BACKLOG, CROWDED, TICKET_EXPIRED, UNAVAILABLE, Ending, Gone, Listener


@contextmanager
def listening(
    door: Door, hub: Hub, request: HTTPConnection, topic: str, since: Cursor | None, listener: Listener
) -> Iterator[asyncio.Task[bool]]:
    """Lets a client in, and gives `listener` the topic's events until the block ends.

    The task has ended when the listener has what it missed. Nothing here waits when the block ends: a server
    that hangs up may cancel the caller again and again.

    Raises:
        HTTPException: the client is refused.
    """
    admission = door.admit(request, topic)
    expiry = subscribing = None
    try:
        admission.serve(listener)
        if door.listeners.news is not None:
            listener.write(door.listeners.news)
        ticket = admission.ticket
        if ticket is not None and door.refusal(topic, None) is not None:
            loop = asyncio.get_running_loop()
            expiry = loop.call_later(ticket.seconds_left(), listener.end, TICKET_EXPIRED)
        subscribing = asyncio.create_task(_subscribe(hub, topic, since, listener, admission.allowance))
        yield subscribing
    finally:
        admission.leave()
        if expiry is not None:
            expiry.cancel()
        if subscribing is not None:
            subscribing.cancel()

            def unsubscribe(task: asyncio.Task[bool]) -> None:
                if not task.cancelled() and task.result():
                    hub.unsubscribe(topic, listener)

            subscribing.add_done_callback(unsubscribe)


class ByteStream:
    """The part of a listener that is the same in every format: a bounded queue of bytes."""

    idle = b"\n"  # sent now and then: it keeps proxies from hanging up, and finds out who is gone

    def __init__(self) -> None:
        self._pending: list[bytes] = []
        self._bytes = 0
        self._ended = False
        self._work = asyncio.Event()
        self._empty = asyncio.Event()

    def put(self, data: bytes) -> None:
        """Sends `data` soon. A client that does not read is ended; it comes back with its cursor."""
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

    def goodbye(self, why: Ending) -> bytes:  # noqa: ARG002
        """The last bytes of the stream."""
        return b""

    @property
    def waits(self) -> bool:
        """Whether something waits to be sent."""
        return not self._empty.is_set()

    async def drained(self) -> None:
        await self._empty.wait()

    def end(self, why: Ending) -> None:
        if not self._ended:
            metrics.evictions.labels(why.code).inc()
            self._pending.append(self.goodbye(why))
            self._ended = True
            self._work.set()

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
                yield self.idle

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


class Stream(StreamingResponse):
    """A response that listens from before its first byte until after its last."""

    def __init__(self, block: AbstractContextManager[object], stream: ByteStream, media_type: str) -> None:
        # Unbuffered, by nginx too, and never kept.
        headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        super().__init__(stream.chunks(), media_type=media_type, headers=headers)
        self._block = block

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        with self._block:
            await super().__call__(scope, receive, send)


async def _subscribe(
    hub: Hub, topic: str, since: Cursor | None, listener: Listener, allowance: Allowance
) -> bool:
    try:
        await hub.subscribe(topic, since, listener, allowance)
    except (RedisError, TimeoutError):
        listener.end(UNAVAILABLE)
        return False
    except (Crowded, TooManyTopics):
        listener.end(CROWDED)
        return False
    except Gone:
        return False
    return True
