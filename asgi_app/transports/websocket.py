"""WebSockets: one connection, any number of topics, over any ASGI server. It may offer a shorter way."""

from __future__ import annotations

import asyncio
from typing import Protocol

from pydantic_core import to_json
from starlette.exceptions import HTTPException
from starlette.requests import HTTPConnection, Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route, WebSocketRoute
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket, WebSocketDisconnect

from asgi_app import limits, metrics
from asgi_app.door import Door, fields
from asgi_app.problems import problem, problem_of
from asgi_app.topics.budget import Allowance
from asgi_app.topics.cursor import Cursor
from asgi_app.topics.event import Batch
from asgi_app.topics.hub import Hub
from asgi_app.topics.listener import BACKLOG, BEHIND, Ending
from asgi_app.transports import messages
from asgi_app.transports.session import BINARY, Connection, Session

# The ASGI extensions under which a server offers a `DirectConnection`, and a `Meter`.
DIRECT = "corkboard.direct"
METER = "corkboard.meter"


class Meter(Protocol):
    """A connection whose server counts frames, for all connections of an address together."""

    allowance: Allowance | None


class DirectConnection(Connection, Protocol):
    """A connection that needs no task: its server calls the session."""

    def hand_over(self, session: Session, first: list[str]) -> None:
        """Accepts the handshake, handles the messages in `first`, and from then on all that come in."""


def route(door: Door, hub: Hub) -> BaseRoute:
    """`/ws`."""
    return WebSocketRoute("/ws", WebSocketEndpoint(door, hub))


def no_handshake() -> BaseRoute:
    """What plain HTTP gets at the same address: also handshakes that are not valid end up here."""

    async def refuse(request: Request) -> Response:
        version = request.headers.get("sec-websocket-version")
        if "websocket" not in request.headers.get("upgrade", "").lower() or version != "13":
            upgrade = {"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": "13"}
            return problem(request, 426, "This is a WebSocket: ask for version 13 of the protocol.", upgrade)
        detail = "Sec-WebSocket-Key must be 16 bytes in Base64, sent once; Sec-WebSocket-Protocol a list."
        return problem(request, 400, detail)

    return Route("/ws", refuse)


class WebSocketEndpoint:
    """`/ws?topic=T&since=C`, where the query is short for a first subscribe."""

    def __init__(self, door: Door, hub: Hub) -> None:
        self._door = door
        self._hub = hub

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        handshake = HTTPConnection(scope)
        asked = fields(handshake)
        topic, since = asked.get("topic"), asked.get("since")
        try:
            admission = self._door.admit(handshake, topic)
        except HTTPException as refusal:
            await WebSocket(scope, receive, send).send_denial_response(problem_of(handshake, refusal))
            return
        try:
            # Not checked here: what is wrong with it is said over the socket, as for any other message.
            subscribe = {"op": "subscribe", "topic": topic} | ({"since": since} if since else {})
            first = [to_json(subscribe).decode()] if topic else []
            extensions = scope.get("extensions", {})
            meter: Meter | None = extensions.get(METER)
            if meter is not None:
                meter.allowance = admission.allowance
            direct: DirectConnection | None = extensions.get(DIRECT)
            if direct is not None:
                session = Session(direct, self._hub, self._door, admission)
                direct.hand_over(session, first)
                session.greet()
                return
            connection = PlainConnection(WebSocket(scope, receive, send))
            session = Session(connection, self._hub, self._door, admission)
            session.greet()
            await connection.run(session, first)
        except BaseException:
            admission.leave()
            raise


class PlainConnection:
    """A WebSocket over any ASGI server: a bounded queue, and one task that writes it."""

    def __init__(self, websocket: WebSocket) -> None:
        self._websocket = websocket
        self._pending: list[bytes] = []
        self._bytes = 0
        self._work = asyncio.Event()
        self._empty = asyncio.Event()
        self._empty.set()
        self._ending: Ending | None = None

    def write(self, batch: Batch) -> None:
        for message in batch.messages:
            self.say(message)

    def whisper(self, batch: Batch) -> None:
        if self._empty.is_set():
            self.write(batch)

    def subscribed(self, topic: str, cursor: Cursor, recovered: bool) -> None:
        self.say(messages.subscribed(topic, cursor, recovered))

    def say(self, json: bytes) -> None:
        self._pending.append(json)
        self._bytes += len(json)
        self._empty.clear()
        if self._bytes > limits.BACKLOG_BYTES:
            self.end(BACKLOG)
        self._work.set()

    async def drained(self) -> None:
        await self._empty.wait()

    def end(self, why: Ending) -> None:
        """Ends `run`; what waits is dropped."""
        if self._ending is None:
            metrics.evictions.labels(why.code).inc()
            self._ending = why
            self._work.set()

    async def run(self, session: Session, first: list[str]) -> None:
        """Accepts the handshake, and serves the client until it leaves or the sidecar ends it."""
        try:
            await self._websocket.accept()
            jobs = [asyncio.create_task(job) for job in (self._read(session, first), self._write())]
            try:
                await asyncio.wait(jobs, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for job in jobs:
                    job.cancel()
                await asyncio.gather(*jobs, return_exceptions=True)
        finally:
            session.end()
        if self._ending is not None:
            try:
                async with asyncio.timeout(1):
                    await self._websocket.close(*self._ending)
            except (TimeoutError, RuntimeError, WebSocketDisconnect):
                pass  # it was gone already

    async def _read(self, session: Session, first: list[str]) -> None:
        for text in first:
            await session.handle(text)
        while True:
            message = await self._websocket.receive()
            if message["type"] == "websocket.disconnect":
                return
            if message.get("text") is None:
                self.end(BINARY)
            else:
                await session.handle(message["text"])

    async def _write(self) -> None:
        while True:
            await self._work.wait()
            self._work.clear()
            pending, self._pending, self._bytes = self._pending, [], 0
            try:
                async with asyncio.timeout(limits.BEHIND_SECONDS):
                    for json in pending:
                        if self._ending is not None:
                            return
                        await self._websocket.send_text(json.decode())
            except TimeoutError:
                self.end(BEHIND)
            if self._ending is not None:
                return
            if not self._pending:
                self._empty.set()
