"""Sidecars that are told to stop at the same time send their clients away one after the other.

`docker compose up` and `restart` stop all containers of a service at once. Clients that one of them sent away
would find the others refusing, or not yet there, and come back later and later.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Callable

from redis.asyncio import Redis
from redis.exceptions import RedisError

from asgi_app import limits
from asgi_app.topics import keys

log = logging.getLogger(__name__)


class Queue:
    """The place of one process in the queue of those that are about to leave."""

    def __init__(self, redis: Redis, drain_seconds: float) -> None:
        self._redis = redis
        self._seconds = limits.STOP_SECONDS - limits.LAST_SECONDS - 1 - drain_seconds
        self._me = secrets.token_hex(8).encode()

    async def wait(self, over: Callable[[], bool]) -> None:
        """Returns when all who came before are gone, time runs short, or it is `over`. Never fails."""
        try:
            async with asyncio.timeout(max(limits.QUEUE_SECONDS, self._seconds)):
                ahead = await self._join()
                if ahead and not over():
                    log.info("waits for others to leave first", extra={"others": len(ahead)})
                while ahead and not over():
                    await asyncio.sleep(limits.QUEUE_SECONDS)
                    ahead &= set(await self._redis.hvals(keys.LEAVING))
        except (RedisError, OSError, TimeoutError) as error:
            log.debug("waits for nobody: %s", error)

    async def leave(self) -> None:
        """Lets the next one go, as soon as this one's successor may have started. Never fails."""
        try:
            await self._redis.hexpire(keys.LEAVING, limits.SUCCESSOR_SECONDS, self._me)
        except (RedisError, OSError) as error:
            log.debug("left without a word: %s", error)

    async def _join(self) -> set[bytes]:
        # In one transaction: of two that join, one sees the other.
        async with self._redis.pipeline(transaction=True) as pipe:
            pipe.hvals(keys.LEAVING)
            pipe.hset(keys.LEAVING, self._me, self._me)
            pipe.hexpire(keys.LEAVING, limits.STOP_SECONDS, self._me)
            ahead, *_ = await pipe.execute()
        return set(ahead)
