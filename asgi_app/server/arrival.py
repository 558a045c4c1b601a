"""The first bytes of a connection. Most are a handshake like all others, which needs no parser of its own.

Uvicorn makes a parser of HTTP for each connection, writes the handshake anew, and has websockets parse it
again. All that is not a common handshake goes that way: so whatever is refused is refused there.
"""

from __future__ import annotations

import asyncio
import re
from typing import Any, NamedTuple

from uvicorn.config import Config
from uvicorn.server import ServerState

from asgi_app.server.direct import DirectProtocol
from asgi_app.server.upgrade import UpgradingProtocol
from asgi_app.server.upgraded import UpgradedProtocol

# Where websockets' own limits begin, which it answers with 414 or 431.
MOST_BYTES = 8192
MOST_HEADERS = 127
# RFC 9112 sections 3 and 5, without what is rare.
HEAD = re.compile(rb"GET (/[!-~]*) HTTP/1\.1\r\n((?:[!#-'*+.^-z|~\w-]+:[\t -~\x80-\xff]*\r\n)+)\r\n")
HEADER = re.compile(rb"([^:]+):[ \t]*([^\r]*)\r\n")
# Blanks after a value: RFC 9112 allows them, Uvicorn does not remove them.
BLANK = re.compile(rb"[ \t]\r\n")
# 16 bytes in Base64: RFC 6455 section 4.1.
KEY = re.compile(rb"[A-Za-z0-9+/]{22}==")
SPECIAL = {b"sec-websocket-protocol", b"content-length", b"transfer-encoding"}


class Handshake(NamedTuple):
    """What matters of a handshake that is valid. Names of headers are in small letters, as in ASGI."""

    url: bytes
    headers: list[tuple[bytes, bytes]]
    key: bytes


def common_handshake(data: bytes) -> Handshake | None:
    """The handshake, when `data` is a whole one that is valid, and nothing about it is special."""
    if len(data) > MOST_BYTES or (head := HEAD.fullmatch(data)) is None or BLANK.search(data):
        return None
    headers = [(name.lower(), value) for name, value in HEADER.findall(head[2])]
    found = dict(headers)
    key = found.get(b"sec-websocket-key", b"")
    is_common = (
        len(found) == len(headers) <= MOST_HEADERS
        and found.get(b"upgrade", b"").lower() == b"websocket"
        and found.get(b"connection", b"").lower() == b"upgrade"
        and found.get(b"sec-websocket-version") == b"13"
        and SPECIAL.isdisjoint(found)
        and KEY.fullmatch(key)
    )
    return Handshake(head[1], headers, key) if is_common else None


class ArrivingProtocol(asyncio.Protocol):
    """Looks at what comes first, and hands the connection to the protocol that it is for."""

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        """As Uvicorn calls it."""
        self._given = config, server_state, app_state, _loop
        self._has_short_way = config.ws_protocol_class is DirectProtocol
        self._connections: set[Any] = server_state.connections
        self._transport: Any = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self._connections.add(self)

    def data_received(self, data: bytes) -> None:
        transport = self._transport
        self._forget()
        if self._has_short_way and (handshake := common_handshake(data)) is not None:
            protocol = UpgradedProtocol(*self._given)
            transport.set_protocol(protocol)
            protocol.begin(transport, *handshake)
        else:
            http = UpgradingProtocol(*self._given)
            transport.set_protocol(http)
            http.connection_made(transport)
            http.data_received(data)

    def connection_lost(self, _exc: Exception | None) -> None:
        self._forget()

    def shutdown(self) -> None:
        """Called by Uvicorn when the process ends. Nothing has come yet."""
        self._transport.close()

    def _forget(self) -> None:
        self._connections.discard(self)
        self._transport = None
