"""The writing side of Uvicorn's WebSocket protocol: prepared frames go straight to the transport."""

from __future__ import annotations

import asyncio
import logging

from asgi_app import limits, metrics
from asgi_app.server.flood import MeteredProtocol
from asgi_app.topics.cursor import Cursor
from asgi_app.topics.event import Batch, frame
from asgi_app.topics.listener import BACKLOG, BEHIND, Ending, Gone
from asgi_app.transports import messages

log = logging.getLogger(__name__)


class WritingProtocol(MeteredProtocol):
    """A WebSocket that is its own `session.Connection`."""

    _behind: asyncio.TimerHandle | None = None  # runs while the client reads more slowly than we write

    def write(self, batch: Batch) -> None:
        self._send(batch.frames)

    def whisper(self, batch: Batch) -> None:
        if not self.transport.get_write_buffer_size():
            self._send(batch.frames)

    def subscribed(self, topic: str, cursor: Cursor, recovered: bool) -> None:
        self.say(messages.subscribed(topic, cursor, recovered))

    def say(self, json: bytes) -> None:
        self._send(b"".join([*self.conn.data_to_send(), frame(json)]))

    async def drained(self) -> None:
        await self.writable.wait()
        if self.close_sent or self.transport.is_closing():
            raise Gone

    def end(self, why: Ending) -> None:
        """Sends a close frame, and hangs up when the client does not answer it."""
        if self.close_sent or self.transport.is_closing():
            return
        self.conn.send_close(*why)
        self._goodbye(why, limits.CLOSE_SECONDS)

    def pause_writing(self) -> None:
        super().pause_writing()
        if self._behind is None:
            self._behind = self.loop.call_later(limits.BEHIND_SECONDS, self.end, BEHIND)

    def resume_writing(self) -> None:
        super().resume_writing()
        if self._behind is not None:
            self._behind.cancel()
            self._behind = None

    def _send(self, data: bytes) -> None:
        if self.close_sent or self.transport.is_closing():
            return
        if self._behind is not None and self.transport.get_write_buffer_size() > limits.BACKLOG_BYTES:
            self.end(BACKLOG)
            return
        self.transport.write(data)

    def _flush(self) -> None:
        if not self.transport.is_closing():
            self.transport.write(b"".join(self.conn.data_to_send()))

    def _goodbye(self, why: Ending, seconds: float) -> None:
        # Sends the close frame that `conn` holds already.
        self.stop_keepalive()
        self._flush()
        self.close_sent = True
        self.writable.set()
        self.transport.resume_reading()
        self.close_timer = self.loop.call_later(seconds, self._hang_up)
        metrics.evictions.labels(why.code).inc()
        log.debug("closing", extra={"code": why.code, "reason": why.reason})

    def _hang_up(self) -> None:
        if self._behind is not None:
            self.transport.abort()
        else:
            self.transport.close()
            self._abort_soon()

    def _abort_soon(self) -> None:
        # Uvicorn waits for the peer to take what was written before; a dead one never does.
        if not self.disconnected:
            self.loop.call_later(limits.CLOSE_SECONDS, self.transport.abort)
