"""Long polling: the same events for whoever can do nothing but ask."""

from __future__ import annotations

import asyncio
from typing import Annotated

from fastapi import APIRouter, Query, Request
from redis.exceptions import RedisError
from starlette.responses import Response

from asgi_app.door import Door, disconnected
from asgi_app.problems import problem
from asgi_app.tickets import Ticket
from asgi_app.topics.cursor import Cursor
from asgi_app.topics.event import Batch
from asgi_app.topics.hub import Hub, Step
from asgi_app.transports.messages import CursorText, PollAnswer, TopicName

router = APIRouter()

MAX_SECONDS = 30.0


class Waiter:
    """A poll that waits for the next thing to happen."""

    def __init__(self, ticket: Ticket | None) -> None:
        self.ticket = ticket
        self.happened = asyncio.Event()

    def write(self, batch: Batch) -> None:
        """Something did. What it was is read from the topic, as by everybody who comes back."""
        if batch.events:
            self.happened.set()

    def subscribed(self, topic: str, cursor: Cursor, recovered: bool) -> None:  # noqa: ARG002
        """The topic was lost; that is told in the same way."""
        self.happened.set()

    def revoked(self) -> None:
        """The ticket was taken back; when the client asks again, it is refused."""
        self.happened.set()


@router.get("/ws/poll", response_model=PollAnswer)
async def poll(
    request: Request,
    topic: TopicName,
    since: CursorText | None = None,
    timeout: Annotated[float, Query(ge=0, le=MAX_SECONDS)] = 25,  # noqa: ASYNC109  (the client's word)
) -> Response:
    """The events after `since`: when there are some, or none after `timeout` seconds."""
    door: Door = request.app.state.door
    hub: Hub = request.app.state.hub
    guest = door.admit(request, topic)
    if isinstance(guest, Response):
        return guest
    followed = hub.enter(topic)
    waiter = Waiter(guest.ticket)
    request.app.state.waiters.add(waiter)
    try:
        step = await hub.step(followed, Cursor.parse(since) if since else None)
        if step.recovered and not step.batch.events and not door.closing:
            followed.join(waiter)
            left = door.seconds_left(guest, topic)
            await _first_of(waiter, request, timeout if left is None else min(timeout, left))
            step = await hub.step(followed, step.ends)
    except (RedisError, TimeoutError):
        return problem(503, "The store does not answer right now; try again.")
    finally:
        request.app.state.waiters.discard(waiter)
        followed.leave(waiter)
        hub.leave(followed)
        door.leave(guest)
    return _answer(step)


async def _first_of(waiter: Waiter, request: Request, seconds: float) -> None:
    happened = asyncio.create_task(waiter.happened.wait())
    gone = asyncio.create_task(disconnected(request))
    await asyncio.wait((happened, gone), timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    for task in (happened, gone):
        task.cancel()
    await asyncio.gather(happened, gone, return_exceptions=True)


def _answer(step: Step) -> Response:
    # The events are JSON already.
    body = b'{"events":[%b],"cursor":"%b","recovered":%b}' % (
        b",".join(step.batch.messages),
        str(step.ends).encode(),
        b"true" if step.recovered else b"false",
    )
    return Response(body, media_type="application/json", headers={"Cache-Control": "no-store"})
