"""The short way to a socket, for common handshakes, differs from Uvicorn's in nothing but its speed."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
import uvicorn
from hypothesis import given
from hypothesis import strategies as st
from starlette.datastructures import QueryParams
from starlette.requests import HTTPConnection
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from uvicorn.server import ServerState

from asgi_app.door import fields
from asgi_app.server.arrival import ArrivingProtocol, common_handshake
from asgi_app.server.direct import DirectProtocol
from asgi_app.server.flood import MeteredProtocol
from asgi_app.server.upgrade import UpgradingProtocol
from asgi_app.server.upgraded import UpgradedProtocol
from asgi_app.transports.websocket import DIRECT, METER
from tests.unit.test_uvicorn_contract import HANDSHAKE, HELLO, Transport, turn

PING = bytes([0x89, 0x80, 0, 0, 0, 0])
BEHIND_NGINX = b"Origin: http://test\r\nCookie: a=b\r\nX-Forwarded-For: 192.0.2.1\r\n"


class Session:
    """Hears."""

    def __init__(self) -> None:
        self.heard: list[str] = []

    async def handle(self, text: str) -> None:
        self.heard.append(text)

    def end(self) -> None:
        pass


class App:
    """Hands each socket over to a session; remembers what it was asked."""

    def __init__(self) -> None:
        self.scopes: list[Any] = []
        self.session = Session()

    async def __call__(self, scope: Any, _receive: Any, send: Any) -> None:
        extensions = scope.get("extensions") or {}
        extensions.pop(METER, None)
        direct = extensions.pop(DIRECT, None)
        self.scopes.append(scope)
        if direct is not None:
            direct.hand_over(self.session, [])
        elif scope["type"] == "http":
            await send({"type": "http.response.start", "status": 426, "headers": []})
            await send({"type": "http.response.body"})


class From(Transport):
    """A connection that has a peer."""

    def __init__(self, peer: Any) -> None:
        super().__init__()
        self._peer = peer

    def getpeername(self) -> Any:
        return self._peer

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return {"peername": self._peer, "socket": self}.get(name, default)

    def getsockname(self) -> str:
        return ""


def comes(
    way: type[Any],
    data: bytes,
    app: Any,
    *,
    ws: type[Any] = DirectProtocol,
    transport: Transport | None = None,
) -> tuple[Transport, Any]:
    """A connection on which this comes first, and its protocol."""
    config = uvicorn.Config(
        app, log_config=None, ws=ws, ws_per_message_deflate=False, proxy_headers=False, interface="asgi3"
    )
    config.load()
    transport, protocols = transport or Transport(), []
    transport.set_protocol = protocols.append  # type: ignore[method-assign]
    protocols.append(way(config, ServerState(), {}, asyncio.get_running_loop()))
    protocols[0].connection_made(transport)
    protocols[0].data_received(data)
    return transport, protocols[-1]


def asked(way: type[Any], data: bytes) -> tuple[Any, bytes]:
    """What the app is asked when this comes, and what the client gets."""

    async def run() -> tuple[Any, bytes]:
        app = App()
        transport, protocol = comes(way, data, app)
        await turn()
        protocol.connection_lost(None)
        lines = [line for line in transport.written.splitlines() if not line.lower().startswith(b"date: ")]
        return app.scopes, b"\n".join(sorted(lines))

    return asyncio.run(run())


@pytest.mark.parametrize("more", [b"", BEHIND_NGINX])
def test_what_comes_after_a_handshake_is_served_alike(more: bytes) -> None:
    async def run(way: type[Any]) -> list[str]:
        app = App()
        transport, protocol = comes(way, HANDSHAKE[:-2] + more + b"\r\n", app)
        assert isinstance(protocol, UpgradedProtocol) is (way is ArrivingProtocol)
        await turn()
        protocol.data_received(PING + HELLO)
        await turn()
        assert transport.written.endswith(b"\x8a\x00")
        protocol.connection_lost(None)
        return app.session.heard

    assert asyncio.run(run(ArrivingProtocol)) == asyncio.run(run(UpgradingProtocol)) == ["hello"]
    whole = HANDSHAKE[:-2] + more + b"\r\n"
    assert asked(ArrivingProtocol, whole) == asked(UpgradingProtocol, whole)


names = st.sampled_from([b"Host", b"Upgrade", b"CONNECTION", b"Sec-WebSocket-Key", b"sec-websocket-version"])
others = st.sampled_from(
    [b"Origin", b"Content-Length", b"Sec-WebSocket-Protocol", b"Cookie", b"a b", b"\xe4"]
)
values = st.sampled_from(
    [b"websocket", b"WebSocket", b"Upgrade", b"keep-alive, Upgrade", b"13 ", b"websocket\t", b""]
)
keys = st.sampled_from(
    [b"dGhlIHNhbXBsZSBub25jZQ==", b"dGhlIHNhbXBsZSBub25jZR==", b"AAAA", b"\t\xfc\t", b"\x00"]
)
lines = st.tuples(names | others, st.sampled_from([b": ", b":", b" :"]), values | keys).map(b"".join)
starts = st.sampled_from([
    b"GET /ws HTTP/1.1", b"GET /ws?topic=board:a%20b HTTP/1.1", b"GET /ws HTTP/1.0", b"POST /ws HTTP/1.1",
    b"GET /ws#a HTTP/1.1", b"GET http://test/ws HTTP/1.1", b"GET  /ws HTTP/1.1", b"GET /%zz\xe4 HTTP/1.1",
])  # fmt: skip
USUAL = HANDSHAKE.split(b"\r\n")[1:-2]


@given(starts, st.permutations(USUAL), st.lists(lines, max_size=3), st.integers(0, 1), st.integers(0, 3))
def test_whatever_comes_is_understood_or_refused_alike(
    start: bytes, usual: list[bytes], more: list[bytes], left_out: int, position: int
) -> None:
    head = [*usual[left_out:], *more]
    head.append(head.pop(min(position, len(head) - 1)))
    data = b"\r\n".join([start, *head, b"", b""])
    assert asked(ArrivingProtocol, data) == asked(UpgradingProtocol, data)


@pytest.mark.parametrize("peer", [("192.0.2.1", 5), ("2001:db8::1", 5, 0, 0), "", "/client.sock"])
def test_whoever_comes_is_told_apart_alike(peer: Any) -> None:
    async def run(way: type[Any]) -> Any:
        app = App()
        _, protocol = comes(way, HANDSHAKE, app, transport=From(peer))
        await turn()
        protocol.connection_lost(None)
        return app.scopes[0]["client"]

    assert asyncio.run(run(ArrivingProtocol)) == asyncio.run(run(UpgradingProtocol))


@pytest.mark.parametrize(
    "data",
    [
        HANDSHAKE[:-1],
        HANDSHAKE + HELLO,
        HANDSHAKE[:-2] + b"Cookie: " + b"x" * 8192 + b"\r\n\r\n",
        HANDSHAKE[:-2] + b"".join([b"X-%d: x\r\n" % number for number in range(128)]) + b"\r\n",
        HANDSHAKE[:-2] + b"Cookie: a\r\nCookie: b\r\n\r\n",
        HANDSHAKE[:-2] + b"Sec-WebSocket-Protocol: a\r\n\r\n",
        HANDSHAKE[:-2] + b"Origin: http://test \r\n\r\n",
        HANDSHAKE.replace(b"\r\n", b"\n"),
    ],
)
def test_a_handshake_that_is_special_goes_the_long_way(data: bytes) -> None:
    assert common_handshake(HANDSHAKE) is not None
    assert common_handshake(data) is None


def test_a_writer_that_is_not_direct_has_no_short_way() -> None:
    async def run() -> Any:
        _, protocol = comes(ArrivingProtocol, HANDSHAKE, App(), ws=MeteredProtocol)
        await turn()
        protocol.connection_lost(None)
        return protocol

    assert type(asyncio.run(run())) is MeteredProtocol


def test_the_short_way_leaves_the_same_state_behind() -> None:
    async def run() -> None:
        short, long = (comes(way, HANDSHAKE, App())[1] for way in (ArrivingProtocol, UpgradingProtocol))
        await turn()
        for name in WebSocketsSansIOProtocol(long.config, ServerState(), {}).__dict__:
            assert hasattr(short, name), f"Uvicorn sets `{name}` now: asgi_app/server/upgraded.py"
            assert alike(getattr(short, name), getattr(long, name)), name
        assert not any((*short.conn.extensions, *long.conn.extensions))
        of_its_own = {"id", "extensions", "available_extensions"}
        for name in vars(long.conn).keys() - of_its_own:
            assert alike(getattr(short.conn, name), getattr(long.conn, name)), f"conn.{name}"
        for one in (short, long):
            one.connection_lost(None)

    asyncio.run(run())


def alike(one: Any, other: Any) -> bool:
    # What each connection has for itself is of the same kind; all else is the same.
    plain = str | int | float | tuple | bytes | None
    return isinstance(one, type(other)) and (one == other or not isinstance(other, plain))


@pytest.mark.parametrize("way", [ArrivingProtocol, UpgradingProtocol])
def test_a_handshake_of_the_last_moment_is_answered_by_the_app(way: type[Any]) -> None:
    async def app(_scope: Any, _receive: Any, send: Any) -> None:
        await send({"type": "websocket.http.response.start", "status": 503, "headers": []})
        await send({"type": "websocket.http.response.body", "body": b"elsewhere"})

    async def run() -> Transport:
        transport, protocol = comes(way, HANDSHAKE, app)
        protocol.shutdown()
        await turn()
        protocol.connection_lost(None)
        return transport

    transport = asyncio.run(run())
    assert transport.written.startswith(b"HTTP/1.1 503 ")
    assert transport.written.endswith(b"elsewhere")
    assert transport.closed


def test_a_connection_on_which_nothing_has_come_ends_with_the_process() -> None:
    async def run() -> Transport:
        state, transport = ServerState(), Transport()
        config = uvicorn.Config(App(), log_config=None)
        config.load()
        protocol = ArrivingProtocol(config, state, {})
        protocol.connection_made(transport)
        assert state.connections == {protocol}
        protocol.shutdown()
        protocol.connection_lost(None)
        assert not state.connections
        return transport

    assert asyncio.run(run()).closed


@given(st.text("a=&%+;?1 ä", max_size=20))
def test_a_query_is_read_as_starlette_reads_it(query: str) -> None:
    scope = {"type": "http", "headers": [], "query_string": query.encode("latin-1")}
    assert fields(HTTPConnection(scope)) == dict(QueryParams(scope["query_string"]))
