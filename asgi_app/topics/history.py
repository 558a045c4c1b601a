"""Older events, read from the stream in blocks that all listeners share.

A thousand clients that come back at once need the same few blocks: each block is read once, and kept.
"""

from __future__ import annotations

import asyncio

from cachetools import LRUCache
from redis.asyncio import Redis
from redis.exceptions import ResponseError

from asgi_app import limits
from asgi_app.topics import store
from asgi_app.topics.cursor import Cursor
from asgi_app.topics.event import Batch

# Topic, epoch, number: block n holds the events after offset n * BLOCK_EVENTS.
Key = tuple[str, str, int]
# The offset before its first event, and the events.
Block = tuple[int, Batch]


class History:
    """The events that are no longer in a topic's tail."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._blocks: LRUCache[Key, Block] = LRUCache(limits.BLOCKS_BYTES, _size)
        self._reading: dict[Key, asyncio.Task[Block]] = {}

    async def after(self, topic: str, cursor: Cursor) -> Batch:
        """Some of the events after `cursor`, which lies before the end of the topic.

        Raises:
            LookupError: the stream no longer holds the next one.
            RedisError: Redis is not responding.
        """
        key = topic, cursor.epoch, cursor.offset // limits.BLOCK_EVENTS
        found = self._blocks.get(key)
        if found is None:
            if key not in self._reading:
                task = asyncio.create_task(self._load(*key))
                self._reading[key] = task
                task.add_done_callback(lambda _: self._reading.pop(key))
            # One of those who wait may leave; the others still get the answer.
            found = await asyncio.shield(self._reading[key])
        start, batch = found
        if cursor.offset < start:
            raise LookupError("trimmed")
        if cursor.offset == start:
            return batch
        return Batch(batch.events[cursor.offset - start :])

    async def _load(self, topic: str, epoch: str, number: int) -> Block:
        after = number * limits.BLOCK_EVENTS
        end = after + limits.BLOCK_EVENTS
        (answer,) = await store.read_many(self._redis, [(topic, after)], limits.BLOCK_EVENTS)
        if isinstance(answer, ResponseError):
            raise answer
        now, entries = answer
        if now.epoch != epoch or not entries:
            raise LookupError("lost")
        start = entries[0][0] - 1
        events = [event for offset, event in entries if offset <= end]
        found = start, Batch(events)
        # A block at the stream's end will grow, so it is not kept.
        if start + len(events) == end and _size(found) <= limits.BLOCKS_BYTES:
            self._blocks[topic, epoch, number] = found
        return found


def _size(block: Block) -> int:
    # The frames are kept beside the JSON.
    return 2 * sum(len(event.json) for event in block[1].events) + 1
