"""Uvicorn's HTTP protocol: what may become a WebSocket, and what is answered when the bytes are no HTTP."""

from __future__ import annotations

import base64
import binascii

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from websockets.exceptions import InvalidHeader
from websockets.headers import parse_subprotocol

from asgi_app import problems


class UpgradingProtocol(HttpToolsProtocol):
    """Upgrades handshakes that are valid; the app says what is wrong with the others."""

    _is_valid = False  # what asks for an upgrade is a handshake

    def on_headers_complete(self) -> None:
        if self.parser.should_upgrade():
            self._is_valid = (
                _is_handshake(self.parser.get_method(), self.headers) and super()._should_upgrade()
            )
        super().on_headers_complete()

    def handle_websocket_upgrade(self) -> None:
        super().handle_websocket_upgrade()
        # The two hold each other. Thousands of such pairs would stop the process for a while.
        self.parser = None  # type: ignore[assignment]

    def send_400_response(self, msg: str) -> None:
        body = problems.document(400, f"The request is not HTTP: {msg}")
        self.transport.write(
            b"HTTP/1.1 400 Bad Request\r\ncontent-type: application/problem+json\r\n"
            b"cache-control: no-store\r\nconnection: close\r\ncontent-length: %d\r\n\r\n%b"
            % (len(body), body)
        )
        self.transport.close()

    def _should_upgrade(self) -> bool:
        return self._is_valid

    def _unsupported_upgrade_warning(self) -> None:
        """Anybody can cause it as often as they like; the client is told."""


def _is_handshake(method: bytes, headers: list[tuple[bytes, bytes]]) -> bool:
    # RFC 6455 section 4.2.1. Host and the others are nginx's and Uvicorn's business.
    keys = [value for name, value in headers if name == b"sec-websocket-key"]
    versions = [value for name, value in headers if name == b"sec-websocket-version"]
    if method != b"GET" or versions != [b"13"] or len(keys) != 1:
        return False
    try:
        for name, value in headers:
            if name == b"sec-websocket-protocol":
                # None is chosen, but websockets refuses what is no list, in words of its own.
                parse_subprotocol(value.decode("latin-1"))
        return len(base64.b64decode(keys[0], validate=True)) == 16
    except (binascii.Error, InvalidHeader):
        return False
