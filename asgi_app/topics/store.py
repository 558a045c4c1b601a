"""What stands in Redis: the position and the events of each topic, and which tickets were revoked."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple, Protocol

import hiredis
from redis.asyncio import Redis
from redis.asyncio.connection import AbstractConnection, Connection
from redis.asyncio.retry import Retry
from redis.asyncio.sentinel import Sentinel
from redis.backoff import NoBackoff
from redis.exceptions import AskError, ClusterDownError, ResponseError, TryAgainError
from redis.exceptions import ConnectionError as RedisConnectionError

from asgi_app import limits
from asgi_app.settings import SENTINELS, Settings
from asgi_app.topics import keys
from asgi_app.topics.cursor import BEGINNING, Cursor
from asgi_app.topics.event import Event

log = logging.getLogger(__name__)

Place = tuple[str, int]
# The position of a topic, and events of it with their offsets.
Answer = tuple[Cursor, Sequence[tuple[int, Event]]]
# A server of a cluster says that the keys are on another one, or on their way there, or nowhere just now.
ELSEWHERE = (AskError, ClusterDownError, TryAgainError)


class Questions(Protocol):
    """What is asked about many topics together: by this module, and by scattered.py in a cluster."""

    async def read_many(
        self, redis: Redis, wanted: Sequence[tuple[str, int | None]], count: int = ...
    ) -> list[Answer | ResponseError]:
        """The position of each topic, and its events after an offset, at most `count`; none with None."""

    def question(self, at: Sequence[tuple[str, Cursor]]) -> Any:
        """What `moved` asks about topics."""

    async def moved(self, redis: Redis, questions: Sequence[Any]) -> list[str]:
        """Those of the topics that may be elsewhere than the questions say."""


class Question(NamedTuple):
    """Whether topics have moved, in the protocol of Redis."""

    packed: bytes
    topics: dict[bytes, str]  # by their streams
    begun: int  # how many of them have a position


def connect(settings: Settings, place: Place | None = None) -> Redis:
    """A client that asks once: each caller knows better than the library when to ask again.

    `place`: a server of a cluster.
    """
    password = settings.redis_secret()
    bounds: dict[str, Any] = {
        # The lookup of the name included. While a container is replaced its address answers nothing at all.
        "socket_connect_timeout": limits.CONNECT_SECONDS,
        "socket_timeout": limits.ANSWER_SECONDS,
        "socket_keepalive": True,
        "retry": Retry(NoBackoff(), 0),
        "protocol": 2,
        "client_name": "corkboard-asgi",
    }
    if password:
        bounds |= {"username": "asgi", "password": password}
    client: Redis
    if place:
        client = Redis(host=place[0], port=place[1], **bounds)
    elif found := SENTINELS.fullmatch(settings.redis_url):
        places = [each.split(":") for each in found[1].split(",")]
        seconds = dict.fromkeys(("socket_connect_timeout", "socket_timeout"), limits.SENTINEL_SECONDS)
        asking = {**seconds, "retry": bounds["retry"], "protocol": 2}
        sentinels = Sentinel([(host, int(port)) for host, port in places], sentinel_kwargs=asking)  # type: ignore[no-untyped-call]
        client = sentinels.master_for(found[2], **bounds)
    else:
        client = Redis.from_url(settings.redis_url, **bounds)
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
            now = cursor_of(position)
            answers.append((now, events_of(now, entries)))
        elif str(error).startswith("WRONGTYPE"):
            answers.append(error)
        else:
            raise error
    return answers


def question(at: Sequence[tuple[str, Cursor]]) -> Question:
    """What `moved` asks about topics, ready to be sent again and again while they do not move."""
    begun = [keys.position(name) for name, cursor in at if cursor != BEGINNING]
    streams, ends = [keys.stream(name) for name, _ in at], [f"{cursor.offset}-0" for _, cursor in at]
    commands = [("XREAD", "COUNT", "1", "STREAMS", *streams, *ends)]
    if begun:
        commands.append(("EXISTS", *begun))
    packed = b"".join([hiredis.pack_command(command) for command in commands])  # type: ignore[arg-type]
    return Question(packed, {keys.stream(name).encode(): name for name, _ in at}, len(begun))


async def moved(redis: Redis, questions: Sequence[Question]) -> list[str]:
    """Those of the topics that may be elsewhere than the questions say: with more events, or gone.

    One round trip. A topic that was lost and began anew meanwhile is not among them.

    Raises:
        RedisError: Redis is not responding.
    """
    found: list[str] = []
    connection = await redis.connection_pool.get_connection()  # type: ignore[no-untyped-call]
    try:
        await connection.send_packed_command(b"".join([each.packed for each in questions]))
        for each in questions:
            longer = await answer_of(connection)
            there = await answer_of(connection) if each.begun else 0
            if isinstance(longer, ResponseError) or there != each.begun:
                # Some are gone, or one key is of another type, or this Redis' users are of before.
                found += each.topics.values()
            else:
                found += [each.topics[stream] for stream, _ in longer or ()]
    except BaseException:
        await connection.disconnect(nowait=True)  # with answers that nobody waits for
        raise
    finally:
        await redis.connection_pool.release(connection)
    return found


async def send(connection: Connection, *command: str | bytes) -> None:
    """Sends a command on a connection with subscriptions.

    Raises:
        RedisConnectionError: it is lost. redis-py would connect anew, in silence and without them.
    """
    if not connection.is_connected:
        raise RedisConnectionError("the connection is lost")
    await connection.send_command(*command)


async def answer_of(connection: AbstractConnection) -> Any:
    """The next answer; an error of Redis is returned, not raised."""
    try:
        return await connection.read_response()
    except ResponseError as error:
        return error


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


def cursor_of(answer: list[bytes | None]) -> Cursor:
    """From the answer to HMGET."""
    epoch, offset = answer
    return Cursor(epoch.decode(), int(offset)) if epoch and offset else BEGINNING


def events_of(now: Cursor, entries: Iterable[tuple[bytes, dict[bytes, bytes]]]) -> list[tuple[int, Event]]:
    """With their offsets, from the answer to XRANGE."""
    epoch = now.epoch.encode()
    found = []
    for entry, fields in entries:
        offset = entry.partition(b"-")[0]
        found.append((int(offset), Event(epoch + b"-" + offset, fields[b"event"])))
    return found
