"""What the transports share that answer with an endless response."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractContextManager

from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from asgi_app import limits, metrics
from asgi_app.topics.listener import BACKLOG, Ending


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
                pending, self._pending, self._bytes = b"".join(self._pending), [], 0
                yield pending
                if not self._pending:
                    self._empty.set()
                continue
            try:
                async with asyncio.timeout(limits.IDLE_SECONDS):
                    await self._work.wait()
            except TimeoutError:
                yield self.idle


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
