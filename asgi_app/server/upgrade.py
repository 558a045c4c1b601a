"""Uvicorn's HTTP protocol, without what it leaves behind when a connection becomes a WebSocket."""

from __future__ import annotations

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol


class UpgradingProtocol(HttpToolsProtocol):
    """Freed as soon as the WebSocket's protocol has taken over, without the garbage collector."""

    def handle_websocket_upgrade(self) -> None:
        super().handle_websocket_upgrade()
        # The two hold each other. Thousands of such pairs would stop the process for a while.
        self.parser = None  # type: ignore[assignment]
