"""The ways to listen. A new one is a module with `route`, and a line here."""

from __future__ import annotations

from starlette.routing import BaseRoute

from asgi_app.door import Door
from asgi_app.topics.hub import Hub
from asgi_app.transports import poll, sse, websocket


def routes(door: Door, hub: Hub) -> list[BaseRoute]:
    """One route per transport."""
    return [
        websocket.route(door, hub),
        websocket.no_handshake(),
        sse.route(door, hub),
        poll.route(door, hub),
    ]
