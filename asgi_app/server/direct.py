"""Uvicorn's WebSocket protocol, with a short way out: prepared frames straight to the transport.

Uvicorn does the handshake, the parsing, the pings and the closing. Once the endpoint has handed the
connection over, there is no task, no queue and no coroutine a connection any more: what comes in wakes a
session, what goes out is one write. It leans on names that Uvicorn does not promise to keep; tests/unit/
test_uvicorn_contract.py says which, and pyproject.toml pins the version.
"""

from __future__ import annotations

import asyncio
import logging
import random
from typing import Any

from uvicorn.protocols.utils import ClientDisconnected
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.frames import Frame
from websockets.http11 import Request

from asgi_app import metrics
from asgi_app.topics.cursor import Cursor
from asgi_app.topics.event import Batch, frame
from asgi_app.transports import messages
from asgi_app.transports.session import BINARY, MAX_BYTES, SEND_SECONDS, TRY_AGAIN, ClientGone, Session

log = logging.getLogger(__name__)
quiet = logging.getLogger(f"{__name__}.uvicorn")
quiet.setLevel(logging.WARNING)

EXTENSION = "corkboard.direct"
# A client that does not answer a close frame is cut off.
CLOSE_SECONDS = 2.0
# How long one that broke the protocol may go on sending what nobody reads.
LISTEN_SECONDS = 0.5
INVALID_TEXT = 1007


class _Nowhere:
    """Stands for Uvicorn's queue of messages, which nobody reads after the handover."""

    @staticmethod
    def put_nowait(_message: object) -> None:
        """Forgets it."""


class DirectProtocol(WebSocketsSansIOProtocol):
    """A WebSocket that is its own `session.Connection`."""

    session: Session | None = None
    _stuck: asyncio.TimerHandle | None = None
    _serving: asyncio.Task[None] | None = None
    _inbox: list[str] | None = None

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # Uvicorn writes a line a handshake, with the query and any ticket in it.
        self.logger = self.conn.logger = quiet

    def hand_over(self, session: Session, first: list[str]) -> None:
        """Accepts the handshake: the connection is the session's now, and `first` came in over it."""
        self.session = session
        if self.disconnected or self.transport.is_closing():
            session.end()
            return
        self.handshake_complete = True
        self.conn.send_response(self.response)
        self.start_keepalive()
        for text in first:
            self.receive_text(text)
        # Later, so that what is said to the first message at once goes out along with it.
        self.loop.call_soon(self._flush)

    # The writing side.

    def write(self, batch: Batch) -> None:
        """Takes the next events."""
        self._send(batch.frames)

    def subscribed(self, topic: str, cursor: Cursor, recovered: bool) -> None:
        """Takes where a topic is."""
        self.say(messages.subscribed(topic, cursor, recovered))

    def say(self, json: bytes) -> None:
        """Takes a message of the sidecar's own."""
        self._send(b"".join([*self.conn.data_to_send(), frame(json)]))

    async def drained(self) -> None:
        """Returns when there is room for more.

        Raises:
            ClientGone: it has left.
        """
        await self.writable.wait()
        if self.close_sent or self.transport.is_closing():
            raise ClientGone

    def close(self, code: int, reason: str) -> None:
        """Says goodbye, and hangs up when there is no answer."""
        if self.close_sent or self.transport.is_closing():
            return
        self.conn.send_close(code, reason)
        self._goodbye(code, reason, CLOSE_SECONDS)

    def _goodbye(self, code: int, reason: str, seconds: float) -> None:
        self.stop_keepalive()
        self._flush()
        self.close_sent = True
        self.writable.set()
        self.transport.resume_reading()
        self.close_timer = self.loop.call_later(seconds, self._hang_up)
        metrics.evictions.labels(code).inc()
        log.debug("closing", extra={"code": code, "reason": reason})

    def _hang_up(self) -> None:
        if self._stuck is not None:
            self.transport.abort()
        else:
            self.transport.close()
            self._abort_soon()

    def _flush(self) -> None:
        if not self.transport.is_closing():
            self.transport.write(b"".join(self.conn.data_to_send()))

    def _send(self, data: bytes) -> None:
        if self.close_sent or self.transport.is_closing():
            return
        if self._stuck is not None and self.transport.get_write_buffer_size() > MAX_BYTES:
            self.close(TRY_AGAIN, "too slow: more than 1 MiB waits to be read")
            return
        self.transport.write(data)

    def pause_writing(self) -> None:
        """The client reads more slowly than we write."""
        super().pause_writing()
        if self._stuck is None:
            reason = f"too slow: nothing was read for {SEND_SECONDS:.0f} s"
            self._stuck = self.loop.call_later(SEND_SECONDS, self.close, TRY_AGAIN, reason)

    def resume_writing(self) -> None:
        """It caught up."""
        super().resume_writing()
        if self._stuck is not None:
            self._stuck.cancel()
            self._stuck = None

    # The reading side.

    def handle_connect(self, event: Request) -> None:
        """Offers the endpoint the short way, before its task begins."""
        super().handle_connect(event)
        if self.response.status_code == 101:
            self.scope["extensions"][EXTENSION] = self  # type: ignore[assignment]

    async def run_asgi(self) -> None:
        """As Uvicorn does it, but the connection may outlive the endpoint."""
        try:
            await self.app(self.scope, self.receive, self.send)
        except ClientDisconnected:
            pass
        except BaseException:
            self.logger.exception("Exception in ASGI application")
            self.send_500_response()
        if self.session is None:
            if self.close_timer is None:
                self.transport.close()
            return
        # Nothing needs these any more; an idle connection is small.
        del self.scope, self.request, self.response
        self.queue = _Nowhere  # type: ignore[assignment]

    def send_receive_event_to_app(self) -> None:
        """A whole message has come in."""
        if self.session is None:
            super().send_receive_event_to_app()
            return
        data = b"".join(self.frames)
        self.frames = []
        if self.close_sent:
            return
        if self.curr_msg_data_type == "bytes":
            self.close(BINARY, "send text")
            return
        try:
            text = data.decode()
        except UnicodeDecodeError:
            self.close(INVALID_TEXT, "not UTF-8")
            return
        self.receive_text(text)

    def receive_text(self, text: str) -> None:
        """One message after the other; while one is waiting, nothing more is read from the client."""
        if self._inbox is None:
            self._inbox = [text]
            self._serving = self.loop.create_task(self._serve(self._inbox))
        else:
            self._inbox.append(text)
            self.transport.pause_reading()

    async def _serve(self, inbox: list[str]) -> None:
        while inbox and self.session is not None:
            await self.session.handle(inbox.pop(0))
        self._serving = self._inbox = None
        if not self.transport.is_closing():
            self.transport.resume_reading()

    # The end.

    def connection_lost(self, exc: Exception | None) -> None:
        """However it came about."""
        super().connection_lost(exc)
        if self._stuck is not None:
            self._stuck.cancel()
        if self._serving is not None:
            self._serving.cancel()
        if self.session is not None:
            self.session.end()
        # Nothing may be left that holds itself: the garbage of ten thousand who leave at once stops the
        # process for a good part of a second.
        self.session = None
        self.conn.parser.close()

    def schedule_ping(self) -> None:
        """Pings of clients that came at the same moment must not stay together for ever."""
        if self.ping_interval:
            delay = self.ping_interval * random.uniform(0.75, 1.25)
            self.ping_timer = self.loop.call_later(delay, self.send_keepalive_ping)

    # Uvicorn waits for the peer to take what was written before; a dead one never does.

    def keepalive_timeout(self) -> None:
        """No answer to a ping."""
        super().keepalive_timeout()
        self._abort_soon()

    def handle_parser_exception(self) -> None:
        """The client broke the protocol. It is told why, and for a moment what it still sends is thrown away.

        Uvicorn hangs up at once; then the kernel answers what is still coming with a reset, and the client
        never reads the reason.
        """
        if not self.close_sent and self.conn.close_sent is not None:
            self._goodbye(self.conn.close_sent.code, self.conn.close_sent.reason, LISTEN_SECONDS)

    def handle_close(self, event: Frame) -> None:
        """The client says goodbye."""
        super().handle_close(event)
        # Uvicorn has answered, but does not note that it did, and would try again when the process ends.
        self.close_sent = True
        self._abort_soon()

    def shutdown(self) -> None:
        """The process ends."""
        super().shutdown()
        self._abort_soon()

    def _abort_soon(self) -> None:
        if not self.disconnected:
            self.loop.call_later(CLOSE_SECONDS, self.transport.abort)


def connection_of(scope: Any) -> DirectProtocol | None:
    """The short way of a WebSocket's scope, where the server offers it."""
    found: DirectProtocol | None = scope.get("extensions", {}).get(EXTENSION)
    return found
