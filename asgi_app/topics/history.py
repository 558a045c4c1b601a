"""Older events, read from the stream in blocks that everybody shares.

A thousand clients that come back at once need the same few blocks: each is read once, and kept.
"""

from __future__ import annotations

import asyncio

from cachetools import LRUCache
from redis.asyncio import Redis
from redis.exceptions import ResponseError

from asgi_app.topics import store as streams
from asgi_app.topics.cursor import Cursor
from asgi_app.topics.event import Batch

BLOCK_EVENTS = 200
CACHE_BYTES = 16 * 1024 * 1024


class History:
    """Blocks of `BLOCK_EVENTS` events: block n of a topic begins after offset n * BLOCK_EVENTS."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._blocks: LRUCache[tuple[str, str, int], tuple[int, Batch]] = LRUCache(CACHE_BYTES, _size)
        self._reading: dict[tuple[str, str, int], asyncio.Task[tuple[int, Batch]]] = {}

    async def after(self, topic: str, cursor: Cursor) -> Batch:
        """Some of the events after `cursor`, which lies before the end of the topic.

        Raises:
            LookupError: the stream no longer holds the next one.
            RedisError: Redis does not answer.
        """
        key = topic, cursor.epoch, cursor.offset // BLOCK_EVENTS
        found = self._blocks.get(key)
        if found is None:
            if key not in self._reading:
                task = asyncio.create_task(self._load(*key))
                self._reading[key] = task
                task.add_done_callback(lambda _: self._reading.pop(key))
            # Whoever asks may leave; the others still wait for the answer.
            found = await asyncio.shield(self._reading[key])
        start, batch = found
        if cursor.offset < start:
            raise LookupError("trimmed")
        if cursor.offset == start:
            return batch
        return Batch(batch.events[cursor.offset - start :])

    async def _load(self, topic: str, epoch: str, number: int) -> tuple[int, Batch]:
        after = number * BLOCK_EVENTS
        (answer,) = await streams.read_many(self._redis, [(topic, after)], BLOCK_EVENTS)
        if isinstance(answer, ResponseError):
            raise answer
        now, entries = answer
        if now.epoch != epoch or not entries:
            raise LookupError("lost")
        start = entries[0][0] - 1
        events = [event for offset, event in entries if offset <= after + BLOCK_EVENTS]
        found = start, Batch(events)
        # A block at the stream's end will grow, so it is not kept.
        if start + len(events) == after + BLOCK_EVENTS and _size(found) <= CACHE_BYTES:
            self._blocks[topic, epoch, number] = found
        return found


def _size(kept: tuple[int, Batch]) -> int:
    # The frames are kept beside the JSON.
    return 2 * sum(len(event.json) for event in kept[1].events) + 1
