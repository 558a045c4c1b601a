"""Long polling: for networks that let neither a WebSocket nor an event stream through."""

from __future__ import annotations

import asyncio
from typing import Annotated

from fastapi import Query, Request
from fastapi.routing import APIRoute
from starlette.responses import Response
from starlette.routing import BaseRoute

from asgi_app import limits, metrics
from asgi_app.door import Door
from asgi_app.problems import problem
from asgi_app.topics.cursor import Cursor
from asgi_app.topics.event import Batch, Notice
from asgi_app.topics.hub import Hub
from asgi_app.topics.listener import UNAVAILABLE, Ending, Gone
from asgi_app.transports.http import hung_up, listening
from asgi_app.transports.messages import CursorText, TopicName


def route(door: Door, hub: Hub) -> BaseRoute:
    """`GET /ws/poll`."""

    async def poll(
        request: Request,
        topic: TopicName,
        since: CursorText | None = None,
        timeout: Annotated[float, Query(ge=0, le=limits.POLL_SECONDS)] = 25,  # noqa: ASYNC109
    ) -> Response:
        answer = Poll()
        with listening(door, hub, request, topic, Cursor.parse(since) if since else None, answer) as begun:
            gone = asyncio.create_task(hung_up(request.receive))
            complete = asyncio.create_task(answer.complete.wait())
            try:
                await asyncio.wait((begun, complete, gone), return_when=asyncio.FIRST_COMPLETED)
                if not answer.complete.is_set():
                    await asyncio.wait((complete, gone), timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
            finally:
                gone.cancel()
                complete.cancel()
        return answer.response() or problem(request, 503, f"{answer.why.reason}.")

    return APIRoute("/ws/poll", poll, methods=["GET"])


class Poll:
    """The listener of one poll. It wants the first events, and no more."""

    def __init__(self) -> None:
        self.complete = asyncio.Event()
        self._events: list[bytes] = []
        self._cursor: bytes | None = None  # after them
        self._recovered = True
        self._notices: dict[str, bytes] = {}  # the last one of each name
        self.why = UNAVAILABLE

    def write(self, batch: Batch) -> None:
        if isinstance(batch, Notice):
            (self._notices[batch.name],) = batch.messages
            if batch.name == "current":
                self._notices.pop("behind", None)
        elif batch.events:
            self._events += batch.messages
            self._cursor = batch.events[-1].id
            self.complete.set()

    def whisper(self, batch: Batch) -> None:
        """Takes nothing: between two polls most of it would be lost."""

    def subscribed(self, topic: str, cursor: Cursor, recovered: bool) -> None:  # noqa: ARG002
        self._cursor = str(cursor).encode()
        if not recovered:
            self._events.clear()
            self._recovered = False
            self.complete.set()

    async def drained(self) -> None:
        raise Gone

    def end(self, why: Ending) -> None:
        """Answers with what there is; when the client asks again, it learns why."""
        if not self.complete.is_set():
            metrics.evictions.labels(why.code).inc()
            self.why = why
            self.complete.set()

    def response(self) -> Response | None:
        """The events and the cursor after them; None when the topic could not be read."""
        if self._cursor is None:
            return None
        body = b'{"events":[%b],"cursor":"%b","recovered":%b}' % (
            b",".join(self._events),
            self._cursor,
            b"true" if self._recovered else b"false",
        )
        headers = {"Cache-Control": "no-store"}
        for name in ("presence", "behind"):
            if name in self._notices:
                headers[f"X-{name.capitalize()}"] = self._notices[name].decode()
        return Response(body, media_type="application/json", headers=headers)
