"""What stands in Redis: the position and the events of each topic, and which tickets were revoked."""

from __future__ import annotations

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
