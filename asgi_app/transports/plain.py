"""WebSockets over any ASGI server: a bounded queue, and one task that writes it."""

from __future__ import annotations

import asyncio

from starlette.websockets import WebSocket, WebSocketDisconnect

from asgi_app import metrics
from asgi_app.topics.cursor import Cursor
from asgi_app.topics.event import Batch
from asgi_app.transports import messages
from asgi_app.transports.session import BINARY, MAX_BYTES, SEND_SECONDS, TRY_AGAIN, Session


class PlainConnection:
    """The writing side of a WebSocket. Whoever writes never waits; `run` does."""

    def __init__(self, websocket: WebSocket) -> None:
        self._websocket = websocket
        self._pending: list[bytes] = []
        self._bytes = 0
        self._work = asyncio.Event()
        self._empty = asyncio.Event()
        self._empty.set()
        self._closing: tuple[int, str] | None = None

    def write(self, batch: Batch) -> None:
        """Takes the next events."""
        for json in batch.messages:
            self.say(json)

    def subscribed(self, topic: str, cursor: Cursor, recovered: bool) -> None:
        """Takes where a topic is."""
        self.say(messages.subscribed(topic, cursor, recovered))

    def say(self, json: bytes) -> None:
        """Takes a message."""
        self._pending.append(json)
        self._bytes += len(json)
        self._empty.clear()
        if self._bytes > MAX_BYTES:
            self.close(TRY_AGAIN, "too slow: more than 1 MiB waits to be read")
        self._work.set()

    async def drained(self) -> None:
        """Returns when everything has been handed to the server."""
        await self._empty.wait()

    def close(self, code: int, reason: str) -> None:
        """Ends `run`; what waits is dropped."""
        if self._closing is None:
            metrics.evictions.labels(code).inc()
            self._closing = code, reason
            self._work.set()

    async def run(self, session: Session, first: list[str]) -> None:
        """Accepts the handshake, and serves the client until it leaves, or has to."""
        try:
            await self._websocket.accept()
        except BaseException:  # gone meanwhile
            session.end()
            raise
        reading = asyncio.create_task(self._read(session, first))
        writing = asyncio.create_task(self._write())
        try:
            await asyncio.wait((reading, writing), return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (reading, writing):
                task.cancel()
            await asyncio.gather(reading, writing, return_exceptions=True)
            session.end()
        if self._closing is not None:
            try:
                async with asyncio.timeout(1):
                    await self._websocket.close(*self._closing)
            except (TimeoutError, RuntimeError, WebSocketDisconnect):
                pass  # it was gone already

    async def _read(self, session: Session, first: list[str]) -> None:
        for text in first:
            await session.handle(text)
        while True:
            message = await self._websocket.receive()
            if message["type"] == "websocket.disconnect":
                return
            if message.get("text") is None:
                self.close(BINARY, "send text")
            else:
                await session.handle(message["text"])

    async def _write(self) -> None:
        while True:
            await self._work.wait()
            self._work.clear()
            pending, self._pending, self._bytes = self._pending, [], 0
            try:
                async with asyncio.timeout(SEND_SECONDS):
                    for json in pending:
                        if self._closing is not None:
                            return
                        await self._websocket.send_text(json.decode())
            except TimeoutError:
                self.close(TRY_AGAIN, f"too slow: nothing was read for {SEND_SECONDS:.0f} s")
            if self._closing is not None:
                return
            if not self._pending:
                self._empty.set()
