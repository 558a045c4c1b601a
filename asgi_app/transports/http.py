"""What the transports over plain HTTP share: one request listens to one topic."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from redis.exceptions import RedisError
from starlette.requests import HTTPConnection
from starlette.types import Receive

from asgi_app.door import Door
from asgi_app.topics.budget import Allowance, Crowded, TooManyTopics
from asgi_app.topics.cursor import Cursor
from asgi_app.topics.hub import Hub
from asgi_app.topics.listener import CROWDED, TICKET_EXPIRED, UNAVAILABLE, Gone, Listener


@contextmanager
def listening(
    door: Door, hub: Hub, request: HTTPConnection, topic: str, since: Cursor | None, listener: Listener
) -> Iterator[asyncio.Task[bool]]:
    """Lets a client in, and gives `listener` the topic's events until the block ends.

    The task has ended when the listener has what it missed. Nothing here waits when the block ends: a server
    that hangs up may cancel the caller again and again.

    Raises:
        HTTPException: the client is refused.
    """
    admission = door.admit(request, topic)
    expiry = subscribing = None
    try:
        admission.serve(listener)
        if door.listeners.news is not None:
            listener.write(door.listeners.news)
        ticket = admission.ticket
        if ticket is not None and door.refusal(topic, None) is not None:
            loop = asyncio.get_running_loop()
            expiry = loop.call_later(ticket.seconds_left(), listener.end, TICKET_EXPIRED)
        subscribing = asyncio.create_task(_subscribe(hub, topic, since, listener, admission.allowance))
        yield subscribing
    finally:
        admission.leave()
        if expiry is not None:
            expiry.cancel()
        if subscribing is not None:
            subscribing.cancel()

            def unsubscribe(task: asyncio.Task[bool]) -> None:
                if not task.cancelled() and task.result():
                    hub.unsubscribe(topic, listener)

            subscribing.add_done_callback(unsubscribe)


async def hung_up(receive: Receive) -> None:
    """Returns when the client is gone."""
    while (await receive())["type"] != "http.disconnect":
        pass


async def _subscribe(
    hub: Hub, topic: str, since: Cursor | None, listener: Listener, allowance: Allowance
) -> bool:
    try:
        await hub.subscribe(topic, since, listener, allowance)
    except (RedisError, TimeoutError):
        listener.end(UNAVAILABLE)
        return False
    except (Crowded, TooManyTopics):
        listener.end(CROWDED)
        return False
    except Gone:
        return False
    return True
