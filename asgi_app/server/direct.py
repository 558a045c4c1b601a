"""Uvicorn's WebSocket protocol, which calls a session instead of an ASGI endpoint.

Uvicorn does the handshake, the parsing, the pings and the closing. Once the endpoint has handed the
connection over, there is neither task nor queue nor coroutine per connection: what comes in wakes the
session, what goes out is one write. This leans on names that Uvicorn does not promise to keep: pyproject.toml
pins the version, and tests/unit/test_uvicorn_contract.py says which names.
"""

from __future__ import annotations

import asyncio
import random
import time
from email.utils import formatdate
from functools import lru_cache
from types import SimpleNamespace
from typing import Any

from uvicorn.protocols.utils import ClientDisconnected
from websockets.frames import Frame
from websockets.http11 import Request
from websockets.protocol import OPEN

from asgi_app import limits
from asgi_app.server.writing import WritingProtocol
from asgi_app.topics.listener import Ending
from asgi_app.transports.session import BINARY, Session
from asgi_app.transports.websocket import DIRECT

INVALID_TEXT = Ending(1007, "not UTF-8")
# The answer to a handshake: RFC 6455 section 4.2.2.
SWITCHING = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nDate: "
ACCEPT = b"\r\nSec-WebSocket-Accept: "
# Stands for Uvicorn's queue of messages, which nothing reads after the handover.
NOWHERE = SimpleNamespace(put_nowait=lambda _message: None)


@lru_cache(maxsize=1)
def _date(now: int) -> bytes:
    return formatdate(now, usegmt=True).encode()


class DirectProtocol(WritingProtocol):
    """A `transports.websocket.DirectConnection`."""

    session: Session | None = None
    _accept = b""  # the answer to the client's key, unless websockets has it
    _serving: asyncio.Task[Any] | None = None
    _inbox: list[str] | None = None

    def hand_over(self, session: Session, first: list[str]) -> None:
        """Accepts the handshake. The messages in `first` are handled next, and then all that come in."""
        self.session = session
        if self.disconnected or self.transport.is_closing():
            session.end()
            return
        self.handshake_complete = True
        if self._accept:
            self.conn.state = OPEN
            answer = [SWITCHING, _date(int(time.time())), ACCEPT, self._accept, b"\r\n\r\n"]
            self.conn.writes.append(b"".join(answer))
        else:
            self.conn.send_response(self.response)
        self.start_keepalive()
        self._inbox = first or None
        # Later, so that an answer to the first message that is there at once goes out along with it.
        self.loop.call_soon(self._flush)

    def handle_connect(self, event: Request) -> None:
        super().handle_connect(event)
        if self.response.status_code == 101:
            # Before the endpoint's task begins.
            self.scope["extensions"][DIRECT] = self  # type: ignore[assignment]

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
        del self.scope
        if not self._accept:
            del self.request, self.response
        self._accept = b""
        self.queue = NOWHERE  # type: ignore[assignment]
        if self._inbox is not None:
            self._serving = asyncio.current_task()
            await self._serve(self._inbox)

    def send_receive_event_to_app(self) -> None:
        """Called by Uvicorn when a whole message has come in."""
        if self.session is None:
            super().send_receive_event_to_app()
            return
        data = b"".join(self.frames)
        self.frames = []
        if self.close_sent:
            return
        if self.curr_msg_data_type == "bytes":
            self.end(BINARY)
            return
        try:
            text = data.decode()
        except UnicodeDecodeError:
            self.end(INVALID_TEXT)
            return
        self._receive(text)

    def _receive(self, text: str) -> None:
        # One message after another; while one is waiting, nothing more is read from the client.
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
        if not self.transport.is_closing() and self._rest is None:
            self.transport.resume_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        """Cleans up, whatever closed the connection."""
        super().connection_lost(exc)
        if self._behind is not None:
            self._behind.cancel()
        if self._serving is not None:
            self._serving.cancel()
            self._serving = None  # it keeps the error, that the frames, and these the connection
        if self.session is not None:
            self.session.end()
        # Nothing may be left that holds itself: the garbage of ten thousand who leave at once stops the
        # process for a good part of a second.
        self.session = None
        self.conn.parser.close()

    def schedule_ping(self) -> None:
        """Spreads the pings, so that those of clients that came together do not stay together."""
        if self.ping_interval:
            delay = self.ping_interval * random.uniform(0.75, 1.25)
            self.ping_timer = self.loop.call_later(delay, self.send_keepalive_ping)

    def keepalive_timeout(self) -> None:
        super().keepalive_timeout()
        self._abort_soon()

    def handle_parser_exception(self) -> None:
        """Tells a client that broke the protocol why, and for a moment discards what it still sends.

        Uvicorn hangs up at once; then the kernel answers what is still coming with a reset, and the client
        never reads the reason.
        """
        if self.conn.close_rcvd is not None:
            super().handle_parser_exception()
        elif not self.close_sent and (close := self.conn.close_sent) is not None:
            self._goodbye(Ending(close.code, close.reason), limits.DISCARD_SECONDS)

    def handle_close(self, event: Frame) -> None:
        super().handle_close(event)
        # Uvicorn has answered, but does not note that it did, and would try again when the process ends.
        self.close_sent = True
        self._abort_soon()

    def shutdown(self) -> None:
        super().shutdown()
        self._abort_soon()
