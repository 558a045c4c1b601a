"""A WebSocket that resumes, cheap enough for hundreds in one process: one asyncio protocol each, no task."""

from __future__ import annotations

import asyncio
import json
import ssl
from functools import partial
from typing import cast
from urllib.parse import quote, urlsplit

from bench import frames
from prove.listening import Events, Listener

# As realtime.js notices a path that is dead: the first word, and the answer to a ping after silence.
FIRST_WORD_SECONDS = 6.0
PING_SECONDS = 15.0
ANSWER_SECONDS = 8.0

PING = frames.masked(frames.TEXT, b'{"op":"ping"}')


class SocketListener(Listener):
    """Listens until it is closed."""

    kind = "socket"

    def __init__(self, base_url: str, topic: str, ticket: str, events: Events) -> None:
        super().__init__(events)
        self._url = urlsplit(base_url)
        self._query = f"/ws?topic={quote(topic)}" + (f"&ticket={ticket}" if ticket else "")
        self._wire: _Wire | None = None
        self._timer: asyncio.Handle | None = None
        self._connecting: asyncio.Task[None] | None = None
        self._closed = False

    def open(self) -> None:
        """Connects; comes back by itself."""
        self._connecting = asyncio.ensure_future(self._connect())

    def close(self) -> None:
        """Hangs up, and does not come back."""
        self._closed = True
        if self._timer:
            self._timer.cancel()
        if self._connecting:
            self._connecting.cancel()
        if self._wire:
            self._wire.drop()

    def drop(self) -> None:
        """Its line breaks, without a goodbye; it comes back."""
        if self._wire:
            self._wire.drop()

    def request(self) -> bytes:
        """The handshake, with the last id."""
        cursor = self.ledger.cursor
        since = f"&since={cursor}" if cursor else ""
        return (
            f"GET {self._query}{since} HTTP/1.1\r\nHost: {self._url.netloc}\r\n"
            "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        ).encode()

    def lost(self, refusal: str) -> None:
        """The connection is gone; `refusal` says why when it never was one."""
        self._wire = None
        if self._closed:
            return
        if not self.connected:
            self.refused(refusal)
        self.cut()
        self._timer = asyncio.get_running_loop().call_later(self.pause(), self.open)

    async def _connect(self) -> None:
        tls = ssl.create_default_context() if self._url.scheme == "https" else None
        port = self._url.port or (443 if tls else 80)
        try:
            async with asyncio.timeout(FIRST_WORD_SECONDS):
                _, self._wire = await asyncio.get_running_loop().create_connection(
                    partial(_Wire, self), self._url.hostname or "", port, ssl=tls
                )
        except (OSError, TimeoutError):
            self.lost("no connection")


class _Wire(asyncio.Protocol):
    """One connection."""

    def __init__(self, listener: SocketListener) -> None:
        self._listener = listener
        self._buffer = b""
        self._upgraded = False
        self._answer = "no answer"
        self._last_word = 0.0
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._transport.write(self._listener.request())
        self._expect(FIRST_WORD_SECONDS)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        if not self._upgraded:
            head, separator, rest = self._buffer.partition(b"\r\n\r\n")
            if not separator:
                return
            self._answer = head[9:12].decode(errors="replace")
            if self._answer != "101":
                self.drop()
                return
            self._upgraded, self._buffer = True, rest
        done = 0
        for opcode, payload, end in frames.parse(self._buffer):
            done = end
            if opcode == frames.TEXT:
                self._message(payload)
            elif opcode == frames.PING:
                self._transport.write(frames.masked(frames.PONG, payload))
            elif opcode == frames.CLOSE:
                self.drop()
                return
        if done:
            self._buffer = self._buffer[done:]
            self._last_word = asyncio.get_running_loop().time()

    def connection_lost(self, _: Exception | None) -> None:
        if self._timer:
            self._timer.cancel()
        self._listener.lost(self._answer)

    def drop(self) -> None:
        """Ends the connection at once."""
        self._transport.abort()

    def _message(self, payload: bytes) -> None:
        if payload.startswith(b'{"op":"event"'):
            at = payload.index(b'"id":"') + 6
            self._listener.heard(payload[at : payload.index(b'"', at)].decode(), payload)
            return
        message = json.loads(payload)
        if message["op"] == "subscribed":
            self._listener.subscribed(message["cursor"], message["recovered"])
            self._later(PING_SECONDS)

    # A timer is not moved with each word: it looks how long the last one is ago.
    def _later(self, seconds: float) -> None:
        if self._timer:
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_later(seconds, self._look)

    def _look(self) -> None:
        silent = asyncio.get_running_loop().time() - self._last_word
        if silent < PING_SECONDS:
            self._later(PING_SECONDS - silent)
        else:
            self._transport.write(PING)
            self._asked_at = asyncio.get_running_loop().time()
            self._timer = asyncio.get_running_loop().call_later(ANSWER_SECONDS, self._answered)

    def _answered(self) -> None:
        if self._last_word < self._asked_at:
            self.drop()
        else:
            self._later(PING_SECONDS)

    def _expect(self, seconds: float) -> None:
        self._timer = asyncio.get_running_loop().call_later(seconds, self.drop)
