"""Server-sent events: for networks that let no WebSocket through.

https://html.spec.whatwg.org/multipage/server-sent-events.html
"""

from __future__ import annotations

import random

from fastapi import Request
from fastapi.routing import APIRoute
from starlette.responses import Response
from starlette.routing import BaseRoute

from asgi_app import limits
from asgi_app.door import Door
from asgi_app.topics.cursor import Cursor
from asgi_app.topics.event import Batch
from asgi_app.topics.hub import Hub
from asgi_app.topics.listener import REVOKED, TICKET_EXPIRED, Ending
from asgi_app.transports import messages
from asgi_app.transports.http import ByteStream, Stream, listening
from asgi_app.transports.messages import CursorText, TopicName

# No topic was ever there: the answer is "not recovered".
NOWHERE = Cursor("0", 2**53)


def route(door: Door, hub: Hub) -> BaseRoute:
    """`GET /ws/events`."""

    async def events(request: Request, topic: TopicName, since: CursorText | None = None) -> Response:
        last = _cursor(request.headers.get("last-event-id") or since)
        stream = EventStream()
        return Stream(listening(door, hub, request, topic, last, stream), stream, "text/event-stream")

    return APIRoute("/ws/events", events, methods=["GET"])


class EventStream(ByteStream):
    """The listener of one stream."""

    idle = b": still here\n\n"

    def write(self, batch: Batch) -> None:
        self.put(batch.sse)

    def whisper(self, batch: Batch) -> None:
        if not self.waits:
            self.put(batch.sse)

    def subscribed(self, topic: str, cursor: Cursor, recovered: bool) -> None:
        """Puts an event named `subscribed`. Its id makes a browser resume from there."""
        message = messages.subscribed(topic, cursor, recovered)
        self.put(b"event: subscribed\nid: %b\ndata: %b\n\n" % (str(cursor).encode(), message))

    def goodbye(self, why: Ending) -> bytes:
        """When to come back, spread a little. A client that may not is refused then."""
        seconds = 0.1 if why in (TICKET_EXPIRED, REVOKED) else limits.RETRY_SECONDS
        return b"retry: %d\n\n" % round(seconds * random.uniform(1, 2) * 1000)


def _cursor(text: str | None) -> Cursor | None:
    if text is None:
        return None
    try:
        return Cursor.parse(text)
    except ValueError:
        return NOWHERE
