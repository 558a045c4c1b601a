"""What stands in Redis: the position and the events of each topic, and which tickets were revoked."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ResponseError

from asgi_app import limits
from asgi_app.settings import Settings
from asgi_app.topics import keys
from asgi_app.topics.cursor import BEGINNING, Cursor
from asgi_app.topics.event import Event

log = logging.getLogger(__name__)

# The position of a topic, and events of it with their offsets.
Answer = tuple[Cursor, Sequence[tuple[int, Event]]]


def connect(settings: Settings) -> Redis:
    """A client that asks once: each caller knows better than the library when to ask again."""
    password = settings.redis_secret()
    client: Redis = Redis.from_url(
        str(settings.redis_url),
        username="asgi" if password else None,
        password=password,
        # The lookup of the name included. While a container is replaced its address answers nothing at all.
        socket_connect_timeout=limits.CONNECT_SECONDS,
        socket_timeout=limits.ANSWER_SECONDS,
        socket_keepalive=True,
        retry=Retry(NoBackoff(), 0),
        protocol=2,
        client_name="corkboard-asgi",
    )
    return client


async def read_many(
    redis: Redis, wanted: Sequence[tuple[str, int | None]], count: int = limits.READ_EVENTS
) -> list[Answer | ResponseError]:
    """The position of each topic, and its events after an offset, at most `count`; none with None.

    One round trip.
    A topic whose keys hold something else gets the error in its place, so that the others do not suffer.

    Raises:
        RedisError: Redis is not responding.
    """
    # In one transaction, so that position and events belong together.
    async with redis.pipeline(transaction=True) as pipe:
        for name, after in wanted:
            pipe.hmget(keys.position(name), "epoch", "offset")
            if after is not None:
                pipe.xrange(keys.stream(name), min=f"{after + 1}-0", count=count)
        raw = iter(await pipe.execute(raise_on_error=False))
    answers: list[Answer | ResponseError] = []
    for _, after in wanted:
        position, entries = next(raw), [] if after is None else next(raw)
        error = next((each for each in (position, entries) if isinstance(each, ResponseError)), None)
        if error is None:
            now = _cursor(position)
            answers.append((now, _events(now, entries)))
        elif str(error).startswith("WRONGTYPE"):
            answers.append(error)
        else:
            raise error
    return answers


async def moved(redis: Redis, at: Sequence[tuple[str, Cursor]]) -> list[str]:
    """Those of the topics that may be elsewhere than their position here says: with more events, or gone.

    Two commands, however many topics. A topic that was lost and began anew meanwhile is not among them.

    Raises:
        RedisError: Redis is not responding.
    """
    begun = [name for name, cursor in at if cursor != BEGINNING]
    try:
        async with redis.pipeline(transaction=False) as pipe:
            pipe.xread({keys.stream(name): f"{cursor.offset}-0" for name, cursor in at}, count=1)
            if begun:
                pipe.exists(*map(keys.position, begun))
            longer, *there = await pipe.execute()
    except ResponseError as error:
        # One key of another type, or a Redis whose users are of before: each topic must be asked for.
        log.debug("cannot ask for all topics at once: %s", error)
        return [name for name, _ in at]
    if there and there[0] != len(begun):
        return [name for name, _ in at]
    found = {stream for stream, _ in longer}
    return [name for name, _ in at if keys.stream(name).encode() in found]


async def revoked(redis: Redis) -> dict[str, float]:
    """Per subject the Unix time until which its tickets are void.

    Raises:
        RedisError: Redis is not responding.
    """
    entries: Any = await redis.zrange(keys.REVOKED, 0, -1, withscores=True)
    return {subject.decode(): until for subject, until in entries}


async def about(redis: Redis) -> dict[str, Any]:
    """What Redis says about itself: the fields of INFO.

    Raises:
        RedisError: Redis is not responding, or does not let this user ask.
    """
    found: dict[str, Any] = await redis.info("server", "clients", "memory", "persistence", "stats")
    return found


def _cursor(answer: list[bytes | None]) -> Cursor:
    epoch, offset = answer
    return Cursor(epoch.decode(), int(offset)) if epoch and offset else BEGINNING


def _events(now: Cursor, entries: list[tuple[bytes, dict[bytes, bytes]]]) -> list[tuple[int, Event]]:
    epoch = now.epoch.encode()
    found = []
    for entry, fields in entries:
        offset = entry.partition(b"-")[0]
        found.append((int(offset), Event(epoch + b"-" + offset, fields[b"event"])))
    return found
