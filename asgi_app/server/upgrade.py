"""Uvicorn's HTTP protocol, that leaves nothing behind when a connection becomes a WebSocket."""

from __future__ import annotations

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol


class UpgradingProtocol(HttpToolsProtocol):
    """Gone as soon as the WebSocket's protocol has taken over, not when the garbage collector comes by."""

    def handle_websocket_upgrade(self) -> None:
        """Hands the transport over."""
        super().handle_websocket_upgrade()
        # The two hold each other. Thousands of such pairs would stop the process for a while.
        self.parser = None  # type: ignore[assignment]
