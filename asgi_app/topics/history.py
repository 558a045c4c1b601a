"""Older events, read from the stream in blocks that all listeners share.

A thousand clients that come back at once need the same few blocks: each block is read once, and kept.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence

from cachetools import TTLCache
from redis.exceptions import ResponseError

from asgi_app import limits
from asgi_app.topics import store
from asgi_app.topics.cursor import Cursor
from asgi_app.topics.event import Event

# Topic, epoch, number: block n holds the events after offset n * BLOCK_EVENTS.
Key = tuple[str, str, int]
# The offset before its first event, and the events.
Block = tuple[int, Sequence[Event]]


class History:
    """The events that are no longer in a topic's tail."""

    def __init__(self, read: Callable[[str, int, int], Awaitable[store.Answer | ResponseError]]) -> None:
        """`read`: the position of a topic, and its events after an offset, at most so many."""
        self._read = read
        self._blocks: TTLCache[Key, Block] = TTLCache(
            limits.BLOCKS_BYTES, limits.BLOCKS_SECONDS, getsizeof=_size
        )
        self._reading: dict[Key, asyncio.Task[Block]] = {}
        self._turns = asyncio.Semaphore(limits.BLOCKS_READING)

    async def after(self, topic: str, cursor: Cursor, until: int) -> Sequence[Event]:
        """The events after `cursor`, up to the offset `until`, which is in the same block.

        Raises:
            LookupError: the stream no longer holds the next one.
            RedisError: Redis is not responding.
        """
        key = topic, cursor.epoch, cursor.offset // limits.BLOCK_EVENTS
        found = self._blocks.get(key)
        if found is None or _end(found) < until:  # the last block of a topic grows
            if key not in self._reading:
                task = asyncio.create_task(self._load(*key))
                self._reading[key] = task
                task.add_done_callback(lambda _: self._reading.pop(key))
            # One of those who wait may leave; the others still get the answer.
            found = await asyncio.shield(self._reading[key])
        start, events = found
        if cursor.offset < start or _end(found) < until:
            raise LookupError("trimmed")
        return events[cursor.offset - start : until - start]

    def forget_old(self) -> Iterable[object]:
        """Forgets the blocks that were read a while ago, and returns them. To be called now and then."""
        return self._blocks.expire()

    async def _load(self, topic: str, epoch: str, number: int) -> Block:
        after = number * limits.BLOCK_EVENTS
        end = after + limits.BLOCK_EVENTS
        # However many topics are asked for at once, few answers are in memory.
        async with self._turns:
            answer = await self._read(topic, after, limits.BLOCK_EVENTS)
        if isinstance(answer, ResponseError):
            raise answer
        now, entries = answer
        if now.epoch != epoch or not entries:
            raise LookupError("lost")
        start = entries[0][0] - 1
        found = start, [event for offset, event in entries if offset <= end]
        if _size(found) <= limits.BLOCKS_BYTES:
            self._blocks[topic, epoch, number] = found
        return found


def _end(block: Block) -> int:
    start, events = block
    return start + len(events)


def _size(block: Block) -> int:
    return sum(len(event.json) for event in block[1]) + 1
