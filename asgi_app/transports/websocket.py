"""The WebSocket endpoint: one connection, any number of topics."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from starlette.requests import HTTPConnection
from starlette.responses import Response
from starlette.websockets import WebSocket

from asgi_app.door import Door, Guest, seconds_left
from asgi_app.server import direct
from asgi_app.settings import Settings
from asgi_app.topics.hub import Hub
from asgi_app.transports.plain import PlainConnection
from asgi_app.transports.session import Connection, Session


class WebSocketEndpoint:
    """`/ws?topic=T&since=C`; the query is shorthand for a first subscribe."""

    def __init__(self, door: Door, hub: Hub, sessions: set[Session], settings: Settings) -> None:
        self._door = door
        self._hub = hub
        self._sessions = sessions
        self._settings = settings

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Lets a client in, or refuses the handshake."""
        handshake = HTTPConnection(scope)
        topic, since = handshake.query_params.get("topic"), handshake.query_params.get("since")
        guest = self._door.admit(handshake, topic)
        if isinstance(guest, Response):
            await WebSocket(scope, receive, send).send_denial_response(guest)
            return
        # Not checked here: what is wrong with it is said over the socket, as for any other message.
        subscribe = {"op": "subscribe", "topic": topic} | ({"since": since} if since else {})
        first = [json.dumps(subscribe)] if topic else []
        protocol = direct.connection_of(scope)
        if protocol is None:
            connection = PlainConnection(WebSocket(scope, receive, send))
            await connection.run(self._session(connection, guest), first)
            return
        protocol.hand_over(self._session(protocol, guest), first)

    def _session(self, connection: Connection, guest: Guest) -> Session:
        session = Session(connection, self._hub, self._settings, guest.ticket)
        left = seconds_left(guest.ticket)
        expiry = asyncio.get_running_loop().call_later(left, session.expired) if left is not None else None

        def ended() -> None:
            self._sessions.discard(session)
            self._door.leave(guest)
            if expiry is not None:
                expiry.cancel()

        session.on_end = ended
        self._sessions.add(session)
        return session
