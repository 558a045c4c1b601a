"""The names of Uvicorn and websockets that asgi_app/server/ leans on, without being promised them.

When an upgrade breaks one of these, read the named method in the new
`uvicorn/protocols/websockets/websockets_sansio_impl.py` (or `uvicorn/server.py`), then what overrides it.
"""

from __future__ import annotations

import asyncio
import inspect
import re
import textwrap
import tomllib
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from uvicorn.protocols.utils import ClientDisconnected
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from uvicorn.server import ServerState

from asgi_app.server.direct import NOWHERE, DirectProtocol
from asgi_app.server.draining import DrainingServer
from asgi_app.server.flood import MeteredProtocol
from asgi_app.server.writing import WritingProtocol
from asgi_app.transports.websocket import DIRECT

ROOT = Path(__file__).resolve().parents[2]
DRAINING = "draining.py"
LOOK = "Uvicorn %s changed `%s`: %s. Compare its source with asgi_app/server/%s."


def broke(name: str, what: str, where: str = "direct.py") -> str:
    return LOOK % (version("uvicorn"), name, what, where)


def source_of(function: Any) -> str:
    return textwrap.dedent(inspect.getsource(function))


def test_the_pinned_version_is_the_one_that_is_tested() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    pin = f"uvicorn=={version('uvicorn')}"
    assert pin in project["optional-dependencies"]["asgi"], (
        f"Uvicorn {version('uvicorn')} is installed, but pyproject.toml pins another one: the sidecar "
        "leans on internals, so a new version is taken on purpose, after this file has passed with it."
    )
    locked = (ROOT / "asgi_app" / "requirements.txt").read_text()
    assert re.search(rf"^{re.escape(pin)}(?![\d.])", locked, re.MULTILINE), (
        "asgi_app/requirements.txt differs: make lock"
    )


# Method -> the parameters with which it is overridden, called, or called by Uvicorn.
METHODS = {
    "connection_made": ["self", "transport"],
    "connection_lost": ["self", "exc"],
    "data_received": ["self", "data"],
    "pause_writing": ["self"],
    "resume_writing": ["self"],
    "shutdown": ["self"],
    "handle_connect": ["self", "event"],
    "handle_events": ["self"],
    "handle_cont": ["self", "event"],
    "handle_ping": ["self"],
    "handle_close": ["self", "event"],
    "handle_parser_exception": ["self"],
    "send_receive_event_to_app": ["self"],
    "keepalive_timeout": ["self"],
    "stop_keepalive": ["self"],
    "schedule_ping": ["self"],
    "send_keepalive_ping": ["self"],
    "run_asgi": ["self"],
    "send_500_response": ["self"],
    "send": ["self", "message"],
    "receive": ["self"],
}


@pytest.mark.parametrize(("name", "parameters"), METHODS.items())
def test_a_method_that_is_leaned_on_is_there(name: str, parameters: list[str]) -> None:
    method = getattr(WebSocketsSansIOProtocol, name, None)
    assert callable(method), broke(name, "it is gone")
    found = list(inspect.signature(method).parameters)
    assert found == parameters, broke(name, f"its parameters are {found} now")
    coroutine = name in ("run_asgi", "send", "receive")
    assert inspect.iscoroutinefunction(method) is coroutine, broke(
        name, "def became async def, or the reverse"
    )


def test_every_override_overrides_something() -> None:
    own = {
        "_accept", "hand_over", "write", "whisper", "subscribed", "say", "drained", "end", "session",
        "_receive", "_flush", "_send", "_serve", "_goodbye", "_hang_up", "_abort_soon", "_behind", "_serving",
        "_inbox", "allowance", "_second", "_frames", "_bytes", "_pong", "_rest", "_refuse", "_pause",
        "_go_on",
    }  # fmt: skip
    members = {**vars(MeteredProtocol), **vars(WritingProtocol), **vars(DirectProtocol)}
    names = {name for name in members if not name.startswith("__")}
    for name in names - own:
        assert hasattr(WebSocketsSansIOProtocol, name), broke(name, "what we override is gone")
    for name in names & own:
        assert not hasattr(WebSocketsSansIOProtocol, name), broke(name, "it has a name that is ours")


# What an instance has right after it was made; the value is what direct.py takes for granted of it.
ATTRIBUTES = {
    "queue": lambda value: isinstance(value, asyncio.Queue),
    "frames": lambda value: value == [],
    "curr_msg_data_type": lambda value: value in ("text", "bytes"),
    "writable": lambda value: isinstance(value, asyncio.Event) and value.is_set(),
    "close_sent": lambda value: value is False,
    "handshake_initiated": lambda value: value is False,
    "handshake_complete": lambda value: value is False,
    "disconnected": lambda value: value is False,
    "close_timer": lambda value: value is None,
    "ping_timer": lambda value: value is None,
    "pong_timer": lambda value: value is None,
    "read_paused": lambda value: value is False,
    "transport": lambda value: value is None,
    "app": callable,
    "loop": lambda value: isinstance(value, asyncio.AbstractEventLoop),
    "logger": lambda value: value.name == "uvicorn.error",
    "conn": lambda value: callable(value.send_close) and callable(value.data_to_send) and value.events == [],
}


class Transport(asyncio.Transport):
    """Remembers what is written; a network that is always fast."""

    def __init__(self) -> None:
        super().__init__()
        self.written = b""
        self.closed = self.aborted = self.paused = False

    def get_extra_info(self, _name: str, default: Any = None) -> Any:
        return default

    def write(self, data: Any) -> None:
        self.written += bytes(data)

    def close(self) -> None:
        self.closed = True

    def abort(self) -> None:
        self.closed = self.aborted = True

    def is_closing(self) -> bool:
        return self.closed

    def pause_reading(self) -> None:
        self.paused = True

    def resume_reading(self) -> None:
        self.paused = False

    def get_write_buffer_size(self) -> int:
        return 0


HANDSHAKE = (
    b"GET /ws?a=b HTTP/1.1\r\nHost: test\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)
# Masked with zeros.
HELLO = bytes([0x81, 0x85, 0, 0, 0, 0]) + b"hello"


class App:
    """An ASGI application that accepts, and remembers what it was given."""

    def __init__(self) -> None:
        self.scopes: list[Any] = []
        self.received: list[Any] = []
        self.until_disconnect = True

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.scopes.append(scope)
        assert (await receive())["type"] == "websocket.connect"
        await send({"type": "websocket.accept"})
        while self.until_disconnect:
            self.received.append(await receive())
            if self.received[-1]["type"] == "websocket.disconnect":
                return


def protocol_of(kind: type[Any], app: Any) -> Any:
    config = uvicorn.Config(app, log_config=None, ws_per_message_deflate=False)
    config.load()
    return kind(config, ServerState(), {}, asyncio.get_running_loop())


async def turn() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


@pytest.mark.parametrize("name", ATTRIBUTES)
def test_an_attribute_that_is_leaned_on_is_there(name: str) -> None:
    async def made() -> Any:
        return getattr(protocol_of(WebSocketsSansIOProtocol, App()), name, ATTRIBUTES)

    value = asyncio.run(made())
    assert value is not ATTRIBUTES, broke(name, "it is gone")
    assert ATTRIBUTES[name](value), broke(name, f"it is {value!r} at first")


def test_the_scope_is_there_and_open_before_the_endpoint_runs() -> None:
    async def run() -> tuple[Any, App]:
        app = App()
        protocol = protocol_of(WebSocketsSansIOProtocol, app)
        protocol.connection_made(Transport())
        protocol.data_received(HANDSHAKE)
        assert not app.scopes, broke("handle_connect", "the endpoint begins before handle_connect returns")
        assert protocol.response.status_code == 101, broke(
            "response", "it is no longer the handshake's answer"
        )
        assert protocol.request.path, broke("request", "it is no longer the handshake's request")
        protocol.scope["extensions"][DIRECT] = protocol
        await turn()
        return protocol, app

    protocol, app = asyncio.run(run())
    assert app.scopes[0]["extensions"][DIRECT] is protocol, broke("scope", "the endpoint gets a copy")


def test_after_the_handover_uvicorn_needs_neither_scope_nor_queue() -> None:
    async def run() -> Transport:
        app = App()
        app.until_disconnect = False
        transport = Transport()
        protocol = protocol_of(WebSocketsSansIOProtocol, app)
        protocol.run_asgi = lambda: app(protocol.scope, protocol.receive, protocol.send)
        protocol.connection_made(transport)
        protocol.data_received(HANDSHAKE)
        await turn()
        del protocol.scope, protocol.request, protocol.response
        protocol.queue = NOWHERE
        protocol.send_keepalive_ping()
        protocol.data_received(bytes([0x89, 0x80, 0, 0, 0, 0]))
        protocol.data_received(bytes([0x88, 0x80, 0, 0, 0, 0]))
        protocol.close_sent = True  # as our handle_close notes it
        protocol.shutdown()
        protocol.connection_lost(None)
        return transport

    transport = asyncio.run(run())
    assert b"101" in transport.written.splitlines()[0], broke(
        "send", "`websocket.accept` no longer answers 101"
    )
    assert b"\x8a\x00" in transport.written, broke("handle_ping", "a ping is not answered with a pong")
    assert transport.written.endswith(b"\x88\x00"), broke("handle_close", "a goodbye is not answered")


def test_whole_messages_come_through_one_method() -> None:
    seen: list[tuple[str, list[bytes]]] = []

    class Watching(WebSocketsSansIOProtocol):
        def send_receive_event_to_app(self) -> None:
            seen.append((self.curr_msg_data_type, self.frames))
            self.frames = []

    async def run() -> None:
        protocol = protocol_of(Watching, App())
        protocol.connection_made(Transport())
        protocol.data_received(HANDSHAKE)
        await turn()
        protocol.data_received(HELLO)
        for part in (b"\x02\x81\0\0\0\0a", b"\x80\x81\0\0\0\0b"):
            protocol.data_received(part)

    asyncio.run(run())
    assert seen == [("text", [b"hello"]), ("bytes", [b"a", b"b"])], broke(
        "send_receive_event_to_app", f"whole messages reach it as {seen}"
    )


def test_a_connection_that_is_failed_reads_no_more_and_says_why() -> None:
    async def run() -> Any:
        protocol = protocol_of(WebSocketsSansIOProtocol, App())
        protocol.connection_made(Transport())
        protocol.data_received(HANDSHAKE)
        await turn()
        assert not protocol.conn.eof_sent, broke("conn.eof_sent", "it is true from the beginning", "flood.py")
        protocol.conn.fail(1008, "why")
        protocol.data_received(HELLO)
        return protocol.conn

    conn = asyncio.run(run())
    assert conn.eof_sent, broke("conn.eof_sent", "it stays false", "flood.py")
    assert conn.close_sent.code == 1008, broke("conn.fail", "it sends no close frame", "flood.py")
    assert conn.events_received() == [], broke("conn.fail", "frames are parsed after it", "flood.py")


def test_who_breaks_the_protocol_comes_through_one_method() -> None:
    seen: list[int] = []

    class Watching(WebSocketsSansIOProtocol):
        def handle_parser_exception(self) -> None:
            assert self.conn.close_sent is not None
            seen.append(self.conn.close_sent.code)

    async def run() -> None:
        protocol = protocol_of(Watching, App())
        protocol.connection_made(Transport())
        protocol.data_received(HANDSHAKE)
        await turn()
        protocol.data_received(b"\x81\x05hello")

    asyncio.run(run())
    assert seen == [1002], broke("handle_parser_exception", f"an unmasked frame leads to {seen or 'nothing'}")


def test_a_paused_transport_closes_the_way_for_writers_and_its_end_opens_it() -> None:
    async def run() -> list[bool]:
        protocol = protocol_of(WebSocketsSansIOProtocol, App())
        protocol.connection_made(Transport())
        protocol.data_received(HANDSHAKE)
        await turn()
        states = []
        for step in (protocol.pause_writing, protocol.resume_writing, protocol.pause_writing):
            step()
            states.append(protocol.writable.is_set())
        protocol.connection_lost(None)
        return [*states, protocol.writable.is_set(), protocol.disconnected]

    assert asyncio.run(run()) == [False, True, False, True, True], broke(
        "writable", "it no longer follows the transport"
    )


def test_the_peer_is_pinged_and_an_answer_that_does_not_come_ends_it() -> None:
    async def run() -> tuple[Any, Transport]:
        transport = Transport()
        protocol = protocol_of(WebSocketsSansIOProtocol, App())
        protocol.connection_made(transport)
        protocol.data_received(HANDSHAKE)
        await turn()
        assert protocol.ping_timer is not None, broke(
            "start_keepalive", "no ping is planned after the handshake"
        )
        protocol.send_keepalive_ping()
        assert protocol.pong_timer is not None, broke("pong_timer", "nobody waits for the answer to a ping")
        protocol.keepalive_timeout()
        return protocol, transport

    protocol, transport = asyncio.run(run())
    assert protocol.close_sent, broke("keepalive_timeout", "close_sent stays false")
    assert transport.closed, broke("keepalive_timeout", "it no longer closes the transport")


def test_the_frame_that_everybody_shares_is_the_one_that_websockets_would_send() -> None:
    from websockets.server import ServerProtocol

    from asgi_app.topics.event import frame

    for text in (b"", b"x" * 125, b"x" * 126, b"x" * 65536):
        connection = ServerProtocol()
        connection.state = type(connection.state).OPEN
        connection.send_text(text)
        assert b"".join(connection.data_to_send()) == frame(text), "websockets frames text in another way now"


def test_a_client_that_left_is_an_error_that_the_endpoint_can_tell() -> None:
    assert issubclass(ClientDisconnected, OSError), broke(
        "ClientDisconnected", "Starlette turns OSError only"
    )


def test_the_server_is_told_to_stop_through_shutdown_with_its_listeners_still_open() -> None:
    shutdown = uvicorn.Server.shutdown
    assert inspect.iscoroutinefunction(shutdown), broke("Server.shutdown", "it is no coroutine", DRAINING)
    found = list(inspect.signature(shutdown).parameters)
    assert found == ["self", "sockets"], broke("Server.shutdown", f"its parameters are {found}", DRAINING)
    assert "await self.shutdown(" in source_of(uvicorn.Server._serve), broke(
        "Server._serve", "it does not call self.shutdown any more", DRAINING
    )
    closing = source_of(shutdown)
    for what in ("server.close()", "connection.shutdown()", "lifespan.shutdown()"):
        assert what in closing, broke("Server.shutdown", f"`{what}` is not in it", DRAINING)
    made = DrainingServer(uvicorn.Config(App(), log_config=None), None, 1, None)  # type: ignore[arg-type]
    assert made.force_exit is False, broke("Server.force_exit", "it is gone or true at first", DRAINING)
    assert DrainingServer.shutdown is not shutdown


def test_uvicorns_line_for_a_handshake_is_dropped_by_its_level() -> None:
    # The line holds the query, and the query may hold a ticket: run.py takes Uvicorn's warnings only.
    source = source_of(WebSocketsSansIOProtocol)
    call = r"self\.logger\.(\w+)\([^()]*get_client_addr[^()]*\([^()]*\),\s*get_path_with_query_string\("
    lines = re.findall(call, source)
    assert lines == ["info"] * source.count("get_path_with_query_string("), broke(
        "send", str(lines), "run.py"
    )
