"""A Redis Cluster: a reader for each master, and each topic with the reader of the master that has it."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from redis.crc import REDIS_CLUSTER_HASH_SLOTS, key_slot
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError, ResponseError

from asgi_app import limits, tasks
from asgi_app.settings import CLUSTER, Settings
from asgi_app.topics import keys, store
from asgi_app.topics.reader import Reader
from asgi_app.topics.shard import Shard
from asgi_app.topics.source import Source
from asgi_app.topics.store import Place
from asgi_app.topics.topic import Topic

log = logging.getLogger(__name__)


def source(settings: Settings, on_revoked: Callable[[str, float], None]) -> Source:
    """The reader for what REDIS_URL says."""
    found = CLUSTER.fullmatch(settings.redis_url)
    return Shards(settings, found[1], on_revoked) if found else Reader(settings, on_revoked)


class Shards:
    """All readers, and which of them has what. Asks the cluster when a reader says that it has changed."""

    def __init__(self, settings: Settings, places: str, on_revoked: Callable[[str, float], None]) -> None:
        self._settings, self._on_revoked = settings, on_revoked
        self._given: list[Place] = [
            (host, int(port)) for host, _, port in (place.rpartition(":") for place in places.split(","))
        ]
        # A client of the master that has what the processes keep for each other.
        self.redis = store.connect(settings, self._given[0])
        self._home = self._given[0]
        self._topics: dict[str, Topic] = {}
        self._shards: dict[Place, Shard] = {}
        self._jobs: dict[Place, asyncio.Task[None]] = {}
        self._owners: list[Place | None] = [None] * REDIS_CLUSTER_HASH_SLOTS
        self._of: dict[str, Shard] = {}  # topic -> the reader that has it
        self._changed = asyncio.Event()
        self._begun = time.monotonic()
        self._knew_revoked = False

    @property
    def ready(self) -> bool:
        """Whether a master's events arrive here, and revoked tickets are known.

        Not all masters: who listens to topics of the others would gain nothing from a closed door.
        """
        return self._knows_revoked and any(shard.ready for shard in self._shards.values())

    @property
    def serves(self) -> bool:
        """Whether it is ready, or was so a moment ago and is likely to be so again soon."""
        return self._knows_revoked and any(shard.serves for shard in self._shards.values())

    @property
    def silence(self) -> float:
        """Seconds since the last sign of life from the master that has been silent for longest."""
        return max((shard.silence for shard in self._shards.values()), default=time.monotonic() - self._begun)

    @property
    def late(self) -> float:
        """For how many seconds events of some topic may be missing here."""
        busy = [shard.late for shard in self._shards.values() if not shard.is_idle]
        return max(busy, default=0.0 if self.ready else self.silence)

    @property
    def _knows_revoked(self) -> bool:
        self._knew_revoked = self._knew_revoked or any(each.knows_revoked for each in self._shards.values())
        return self._knew_revoked

    def is_revoked(self, subject: str, issued: float) -> bool:
        """Whether a ticket of `subject` that was issued then (Unix time) was revoked."""
        return any(shard.is_revoked(subject, issued) for shard in self._shards.values())

    def follow(self, topic: Topic) -> None:
        """Keeps `topic` at the stream's end from now on."""
        self._topics[topic.name] = topic
        self._assign(topic)

    def unfollow(self, topic: Topic) -> None:
        """Ends `follow`."""
        del self._topics[topic.name]
        if shard := self._of.pop(topic.name, None):
            shard.unfollow(topic)

    async def refresh(self, topic: Topic) -> None:
        """Returns when `topic` has been compared with the stream, after this call.

        Raises:
            TimeoutError: its master is not responding.
        """
        await self._shard(topic.name).refresh(topic)

    async def read(self, name: str, after: int, count: int) -> store.Answer | ResponseError:
        """The position of a topic, and its events after an offset, at most `count`.

        Raises:
            RedisError, TimeoutError: its master is not responding.
        """
        return await self._shard(name).read(name, after, count)

    async def run(self) -> None:
        """Runs until it is cancelled. Never fails."""
        try:
            while True:
                self._changed.clear()
                try:
                    await self._distribute(await self._ask())
                except (RedisError, OSError, TimeoutError) as error:
                    log.warning("no server of the cluster says which has what: %s; trying again", error)
                    self._changed.set()
                except Exception:
                    log.exception("unexpected; trying again")
                await asyncio.sleep(random.uniform(*limits.RECONNECT_SECONDS))
                with suppress(TimeoutError):
                    async with asyncio.timeout(limits.DISTRIBUTION_SECONDS):
                        await self._changed.wait()
        finally:
            await tasks.end(self._jobs.values())

    async def close(self) -> None:
        """Closes the connections to Redis."""
        for shard in self._shards.values():
            await shard.close()
        await self.redis.aclose()

    def _shard(self, name: str) -> Shard:
        if name not in self._of:
            raise TimeoutError("no server of the cluster has this topic")
        return self._of[name]

    async def _ask(self) -> list[Place | None]:
        problem: Exception = RedisConnectionError("no slot is assigned")
        for place in [*random.sample(list(self._shards), len(self._shards)), *self._given]:
            client = store.connect(self._settings, place)
            try:
                async with asyncio.timeout(limits.PROBE_SECONDS):
                    # In two words redis-py does not know it, and leaves the answer as it is.
                    answer = await client.execute_command("CLUSTER", "SLOTS")  # type: ignore[no-untyped-call]
                if answer:
                    return _owners(answer, place)
            except (RedisError, OSError, TimeoutError) as error:
                problem = error
            finally:
                await client.aclose()
        raise problem

    async def _distribute(self, owners: list[Place | None]) -> None:
        self._owners = owners
        places = {place for place in owners if place}
        for place in places - self._shards.keys():
            log.info("a master of the cluster", extra={"host": place[0], "port": place[1]})
            shard = Shard(self._settings, self._on_revoked, place, self._changed.set, self._has_revoked)
            self._shards[place] = shard
            self._jobs[place] = asyncio.create_task(shard.run())
        async for topic in tasks.in_turns(tuple(self._topics.values()), limits.PRESENCE_TOPICS):
            if topic.name in self._topics:
                self._assign(topic)
        for place in self._shards.keys() - places:
            await self._end(place)
        if (home := owners[_slot(keys.PROCESSES)]) and home != self._home:
            self._home = home
            # Connections keep the address that they were made with, also when they connect anew.
            before = self.redis.connection_pool
            self.redis.connection_pool = store.connect(self._settings, home).connection_pool
            await before.disconnect()

    def _assign(self, topic: Topic) -> None:
        place, before = self._owners[_slot(keys.position(topic.name))], self._of.get(topic.name)
        shard = self._shards.get(place) if place else None
        # Without any the one before is as good as none.
        if shard is None or shard is before:
            return
        self._of[topic.name] = shard
        if before or topic.position:
            shard.take_over(topic, before.hand_over(topic) if before else ())
        else:
            shard.follow(topic)

    async def _end(self, place: Place) -> None:
        shard = self._shards.pop(place)
        await tasks.end([self._jobs.pop(place)])
        for name in [name for name, each in self._of.items() if each is shard]:
            shard.unfollow(self._topics[name])
            del self._of[name]
        await shard.close()

    def _has_revoked(self, place: Place) -> bool:
        return self._owners[_slot(keys.REVOKED)] == place


def _owners(answer: Any, asked: Place) -> list[Place | None]:
    # Of each slot its master: https://redis.io/docs/latest/commands/cluster-slots/
    owners: list[Place | None] = [None] * REDIS_CLUSTER_HASH_SLOTS
    for first, last, (host, port, *_), *_ in answer:
        # A server that does not know its own name or address leaves it out.
        place = (host or b"").decode() or asked[0], int(port)
        owners[first : last + 1] = [place] * (last + 1 - first)
    return owners


def _slot(key: str) -> int:
    return key_slot(key.encode())
