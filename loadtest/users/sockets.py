"""A user who listens by WebSocket."""

from __future__ import annotations

import json
import socket
import ssl
from collections.abc import Generator
from typing import Any
from urllib.parse import urlencode

import websocket

from loadtest import http, target
from loadtest.users.listener import SILENCE_SECONDS, Ended, Listener

RESTARTING = 1012


class SocketUser(Listener):
    """A plain WebSocket, as a browser opens it."""

    kind = "WS"
    weight = 5

    def messages(self, since: str | None) -> Generator[dict[str, Any], None, None]:
        """Yields the sidecar's messages until the connection ends."""
        connection = self._open(since)
        self.socket = connection.sock
        try:
            while True:
                opcode, data = connection.recv_data()
                if opcode == websocket.ABNF.OPCODE_CLOSE:
                    code = int.from_bytes(data[:2], "big")
                    raise Ended(f"closed by the server: {code} {data[2:].decode()}", code == RESTARTING)
                yield json.loads(data)
        except websocket.WebSocketTimeoutException as error:
            raise Ended(f"silence for {SILENCE_SECONDS:.0f} s") from error
        except websocket.WebSocketException as error:
            raise Ended(str(error)) from error
        finally:
            connection.shutdown()

    def _open(self, since: str | None) -> websocket.WebSocket:
        query = {"topic": self.topic} | ({"since": since} if since else {})
        try:
            return websocket.create_connection(
                f"{str(self.host).rstrip('/').replace('http', 'ws', 1)}/ws?{urlencode(query)}",
                timeout=SILENCE_SECONDS,
                header=target.HEADERS,
                suppress_origin=True,
                http_no_proxy=["*"],
                skip_utf8_validation=True,
                sockopt=[(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)],
                # Like Locust's HTTP users: a test site's certificate is often self-signed.
                sslopt={"cert_reqs": ssl.CERT_NONE, "check_hostname": False},
            )
        except websocket.WebSocketBadStatusException as error:
            raise Ended(f"{error.status_code} {http.detail(error.resp_body or b'')}".strip()) from error
        except websocket.WebSocketException as error:
            raise Ended(f"no handshake: {error}") from error
