"""What one client may have parsed, whatever kind of frame it sends: bounded per turn and per second."""

from __future__ import annotations

import asyncio

from uvicorn._types import ASGIReceiveEvent
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.frames import Frame, Opcode
from websockets.http11 import Request
from websockets.protocol import CONNECTING, OPEN

from asgi_app import limits, metrics
from asgi_app.topics.budget import Allowance
from asgi_app.transports.websocket import METER

TOO_FAST = f"more than {limits.FRAMES_PER_SECOND} frames or {limits.BYTES_PER_SECOND // 1024} KiB per second"

NO_CODE = 1005  # stands for the code of a close frame that has none


class MeteredProtocol(WebSocketsSansIOProtocol):
    """Uvicorn's protocol, for clients that flood it. Both writers build on it."""

    allowance: Allowance | None = None  # of the client's address; known when it was let in
    _second = 0.0  # when the second began in which the following were counted
    _frames = 0
    _bytes = 0
    _pong = b""  # for a client that does not read: the answer to its last ping
    _rest: asyncio.TimerHandle | None = None  # runs while nothing is read from the client

    def data_received(self, data: bytes) -> None:
        if self.conn.eof_sent:  # both sides are done; what still comes is not looked at
            self._pause(limits.DISCARD_PAUSE_SECONDS)
            return
        now = self.loop.time()
        if now - self._second >= 1:
            self._second, self._frames, self._bytes = now, 0, 0
        before = self._frames
        for start in range(0, len(data), limits.PARSED_BYTES):
            part = data[start : start + limits.PARSED_BYTES]
            self._bytes += len(part)
            super().data_received(part)
            if self.conn.eof_sent:
                return
            if self._frames > limits.FRAMES_PER_SECOND or self._bytes > limits.BYTES_PER_SECOND:
                self._refuse()
                return
        # All sockets of an address together: not closed but read more slowly, since most may be of others.
        if self.allowance is not None and (wait := self.allowance.frames.take(self._frames - before)) > 0:
            metrics.limited.labels("frames").inc()
            self._pause(wait)

    def handle_events(self) -> None:
        self._frames += len(self.conn.events)
        super().handle_events()

    def handle_connect(self, event: Request) -> None:
        super().handle_connect(event)
        if self.response.status_code == 101:
            self.scope["extensions"][METER] = self  # type: ignore[assignment]

    def handle_cont(self, event: Frame) -> None:
        # In one piece from the beginning: a list of fragments would grow with each empty one.
        self.frames = [b"".join((*self.frames, event.data))]
        if event.fin:
            self.send_receive_event_to_app()

    def handle_ping(self) -> None:
        """Answers, but keeps no more than one answer for a client that does not read.

        A pong may stand for all pings before it: RFC 6455 section 5.5.3.
        """
        if self.writable.is_set() or self.conn.state is not OPEN:
            super().handle_ping()
        elif pongs := self.conn.data_to_send():
            self._pong = pongs[-1]

    async def receive(self) -> ASGIReceiveEvent:
        message = await super().receive()
        if self._rest is not None:  # Uvicorn reads on as soon as a message is taken
            self.transport.pause_reading()
        return message

    def handle_parser_exception(self) -> None:
        """Answers a goodbye between the fragments of a message as any other goodbye.

        Control frames may stand there (RFC 6455 section 5.4), and the Autobahn suite asks for it (7.1.5), but
        for websockets it is an error.
        """
        close = self.conn.close_rcvd
        if close is None:
            super().handle_parser_exception()
            return
        answer = Frame(Opcode.CLOSE, b"" if close.code == NO_CODE else close.serialize())
        self.conn.close_sent = close
        self.conn.writes = [answer.serialize(mask=False)]
        self.handle_close(answer)

    def shutdown(self) -> None:
        """Lets the app answer a handshake of the last moment: with 503, and nginx asks another sidecar.

        Uvicorn would answer 500, which nginx hands on.
        """
        if not self.handshake_initiated or self.handshake_complete:
            super().shutdown()

    def resume_writing(self) -> None:
        super().resume_writing()
        if self._pong:
            self.transport.write(self._pong)
            self._pong = b""

    def connection_lost(self, exc: Exception | None) -> None:
        """Cleans up, whatever closed the connection."""
        super().connection_lost(exc)
        if self._rest is not None:
            self._rest.cancel()
            self._rest = None

    def _refuse(self) -> None:
        metrics.limited.labels("frames").inc()
        if self.conn.state is CONNECTING:
            self.transport.abort()
            return
        self.conn.fail(1008, TOO_FAST)
        self.handle_parser_exception()

    def _pause(self, seconds: float) -> None:
        if self._rest is None and not self.transport.is_closing():
            self.transport.pause_reading()
            self._rest = self.loop.call_later(seconds, self._go_on)

    def _go_on(self) -> None:
        self._rest = None
        if not self.transport.is_closing() and not self.read_paused:
            self.transport.resume_reading()
