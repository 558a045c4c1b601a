"""What store.py asks about many topics together, where each may be in another slot of a cluster.

No command and no transaction may use keys of two slots there. So there is a command for each topic, in one
round trip.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import hiredis
from redis.asyncio import Redis
from redis.asyncio.connection import AbstractConnection
from redis.exceptions import ResponseError

from asgi_app import limits
from asgi_app.topics import keys, store
from asgi_app.topics.cursor import Cursor


class Question(NamedTuple):
    """Where topics are, in the protocol of Redis, and where they were."""

    packed: bytes
    at: Sequence[tuple[str, Cursor]]


def question(at: Sequence[tuple[str, Cursor]]) -> Question:
    """What `moved` asks about topics, ready to be sent again and again while they do not move."""
    return Question(b"".join([_position(name) for name, _ in at]), tuple(at))


async def moved(redis: Redis, questions: Sequence[Question]) -> list[str]:
    """Those of the topics that are elsewhere than the questions say, or on another server.

    Raises:
        RedisError: Redis is not responding.
    """
    asked = [topic for each in questions for topic in each.at]
    answers = await _ask(redis, b"".join([each.packed for each in questions]), len(asked))
    return [
        name
        for (name, at), answer in zip(asked, answers, strict=True)
        if isinstance(answer, ResponseError) or store.cursor_of(answer) != at
    ]


async def read_many(
    redis: Redis, wanted: Sequence[tuple[str, int | None]], count: int = limits.READ_EVENTS
) -> list[store.Answer | ResponseError]:
    """As `store.read_many`. A topic that is not on this server gets the error in its place, too.

    Raises:
        RedisError: Redis is not responding.
    """
    # One transaction for each, so that position and events belong together.
    packed = [_transaction(name, after, count) for name, after in wanted]
    answers = iter(await _ask(redis, b"".join(packed), 4 * len(wanted)))
    return [_read([next(answers) for _ in range(4)]) for _ in wanted]


def _transaction(name: str, after: int | None, count: int) -> bytes:
    # Without an offset the end of the stream, which is never there.
    start = "+" if after is None else f"{after + 1}-0"
    read = _packed("XRANGE", keys.stream(name), start, "+", "COUNT", str(count))
    return b"".join([_packed("MULTI"), _position(name), read, _packed("EXEC")])


def _read(answers: Sequence[Any]) -> store.Answer | ResponseError:
    # What is refused when it is queued says why; EXEC says only that something was.
    *queued, done = answers
    found = [*queued, *(done if isinstance(done, list) else [done])]
    error = next((each for each in found if isinstance(each, ResponseError)), None)
    if error is None:
        position, entries = done
        now = store.cursor_of(position)
        return now, store.events_of(
            now, [(id_, dict(zip(*[iter(fields)] * 2, strict=True))) for id_, fields in entries]
        )
    if isinstance(error, store.ELSEWHERE) or str(error).startswith("WRONGTYPE"):
        return error
    raise error


def _position(name: str) -> bytes:
    return _packed("HMGET", keys.position(name), "epoch", "offset")


def _packed(*words: str) -> bytes:
    packed: bytes = hiredis.pack_command(words)  # type: ignore[arg-type]
    return packed


async def _ask(redis: Redis, packed: bytes, count: int) -> list[Any]:
    connection: AbstractConnection = await redis.connection_pool.get_connection()  # type: ignore[no-untyped-call]
    try:
        await connection.send_packed_command(packed)
        return [await store.answer_of(connection) for _ in range(count)]
    except BaseException:
        await connection.disconnect(nowait=True)  # with answers that nobody waits for
        raise
    finally:
        await redis.connection_pool.release(connection)
