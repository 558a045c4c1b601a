"""Presence as version 2.0 shares it, for the minutes of an upgrade: one hash per topic, its fields expire.

To be deleted with the version after 2.1.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping

from redis.asyncio import Redis

from asgi_app import limits
from asgi_app.topics import keys
from asgi_app.topics.people import Share

OURS = b"+"  # 2.0 reads "+3" as 3; by the sign this version knows its own


class Older:
    """Counts listeners of 2.0, and tells 2.0 of ours; only for topics that it has."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._me = secrets.token_hex(6)
        self._told: set[str] = set()
        self.counts: dict[str, int] = {}  # topic -> how many listen in processes of 2.0

    async def exchange(self, here: Mapping[str, Share], repeat: bool) -> set[str]:
        """Returns the topics whose number there has changed. Without 2.0 it asks on `repeat` only.

        Raises:
            RedisError: Redis is not responding.
        """
        if not (repeat or self._told):
            return set()
        counts: dict[str, int] = {}
        names = list(here)
        for start in range(0, len(names), limits.LOOK_TOPICS):
            some = names[start : start + limits.LOOK_TOPICS]
            if await self._redis.exists(*map(keys.presence, some)):
                counts |= await self._read(some)
        await self._tell(here, counts)
        before, self.counts = self.counts, counts
        return {name for name in before.keys() | counts.keys() if before.get(name) != counts.get(name)}

    async def _read(self, names: list[str]) -> dict[str, int]:
        async with self._redis.pipeline(transaction=False) as pipe:
            for name in names:
                pipe.hvals(keys.presence(name))
            answers = await pipe.execute()
        theirs = [[count for count in counts if not count.startswith(OURS)] for counts in answers]
        return {name: sum(map(int, counts)) for name, counts in zip(names, theirs, strict=True) if counts}

    async def _tell(self, here: Mapping[str, Share], counts: Mapping[str, int]) -> None:
        left = self._told - counts.keys()
        if not (counts or left):
            return
        async with self._redis.pipeline(transaction=False) as pipe:
            for name in counts:
                pipe.hset(keys.presence(name), self._me, f"+{here[name].listeners}")
                pipe.hexpire(keys.presence(name), limits.FORGET_SECONDS, self._me)
            for name in left:
                pipe.hdel(keys.presence(name), self._me)
            self._told |= counts.keys()
            await pipe.execute()
        self._told = set(counts)
