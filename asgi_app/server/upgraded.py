"""The connection of a common handshake: it begins with frames, and nothing of it is there to parse HTTP."""

from __future__ import annotations

import asyncio
import logging
from typing import Any
from urllib.parse import unquote

from uvicorn.config import Config
from uvicorn.protocols.utils import is_ssl
from uvicorn.server import ServerState
from websockets.protocol import CONNECTING, SERVER, Protocol
from websockets.server import ServerProtocol
from websockets.streams import StreamReader
from websockets.utils import accept_key

from asgi_app.server.direct import DirectProtocol
from asgi_app.transports.websocket import DIRECT, METER

LOGGER = logging.getLogger("uvicorn.error")


class FramesOnly(ServerProtocol):
    """websockets' state of a connection, without the handshake that it would expect first."""

    # websockets sets these for each connection. Most never change; in the class they take no memory.
    id = origin = origins = subprotocol = handshake_exc = parser_exc = None  # type: ignore[assignment]
    close_rcvd = close_sent = close_rcvd_then_sent = None
    current_size = max_fragment_size = available_subprotocols = None
    debug = eof_sent = expect_continuation_frame = False
    extensions = available_extensions = ()  # type: ignore[assignment]
    accept_called = True
    logger, side = LOGGER, SERVER
    parse = Protocol.parse

    def __init__(self, max_size: int | None) -> None:
        """In place of websockets' own, which draws an id and awaits a request."""
        self._state = CONNECTING
        self.max_message_size = max_size
        self.reader = StreamReader()
        self.events, self.writes = [], []
        self.parser = self.parse()
        next(self.parser)


class UpgradedProtocol(DirectProtocol):
    """A `DirectProtocol` whose handshake is known to be valid. The tests hold the two against each other."""

    # Uvicorn sets these for each connection. Most never change; in the class they take no memory.
    logger = LOGGER
    server = None  # the app asks for it nowhere, and finding it takes a system call
    handshake_initiated = True
    handshake_complete = close_sent = disconnected = read_paused = False
    close_timer = ping_timer = pong_timer = initial_response = pending_ping_payload = None
    close_timeout = 10.0
    ping_sent_at = last_ping_rtt = 0.0
    curr_msg_data_type = "bytes"

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        """In place of Uvicorn's, which makes a `ServerProtocol`."""
        self.config, self.app, self.app_state = config, config.loaded_app, app_state
        self.loop = _loop or asyncio.get_event_loop()
        self.root_path, self.asgi_version = config.root_path, config.asgi_version
        self.ping_interval, self.ping_timeout = config.ws_ping_interval, config.ws_ping_timeout
        self.connections, self.tasks = server_state.connections, server_state.tasks
        self.default_headers = server_state.default_headers
        self.conn = FramesOnly(config.ws_max_size)
        self.queue = asyncio.Queue()
        self.writable = asyncio.Event()
        self.writable.set()
        self.frames = []

    def begin(
        self, transport: asyncio.Transport, url: bytes, headers: list[tuple[bytes, bytes]], key: bytes
    ) -> None:
        """Takes over the connection, and has the app answer the handshake.

        In place of `connection_made`, `data_received` and `handle_connect`.
        """
        self.transport = transport
        peer = transport.get_extra_info("peername")
        # An IPv6 address has four parts, and a Unix socket's is a text.
        self.client = peer[:2] if isinstance(peer, tuple) else None
        self.scheme = "wss" if is_ssl(transport) else "ws"
        self.connections.add(self)
        raw_path, _, query = url.partition(b"?")
        self.scope = {
            "type": "websocket",
            "asgi": {"version": self.asgi_version, "spec_version": "2.4"},
            "http_version": "1.1",
            "scheme": self.scheme,
            "server": self.server,
            "client": self.client,
            "root_path": self.root_path,
            "path": self.root_path + unquote(raw_path.decode("ascii")),
            "raw_path": self.root_path.encode("ascii") + raw_path,
            "query_string": query,
            "headers": headers,
            "subprotocols": [],
            "state": self.app_state.copy(),
            "extensions": {"websocket.http.response": {}, METER: self, DIRECT: self},  # type: ignore[dict-item]
        }
        self._accept = accept_key(key.decode()).encode()
        self.queue.put_nowait({"type": "websocket.connect"})
        task = self.loop.create_task(self.run_asgi())
        task.add_done_callback(self.on_task_complete)
        self.tasks.add(task)
