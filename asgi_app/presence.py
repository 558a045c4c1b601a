"""How many listen to a topic, over all processes: per-process counts that expire in Redis."""

from __future__ import annotations

import asyncio
import logging
import random
import secrets
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import RedisError

from asgi_app import limits
from asgi_app.topics import keys
from asgi_app.topics.event import Notice
from asgi_app.topics.hub import Hub
from asgi_app.transports.messages import Presence

log = logging.getLogger(__name__)


class Counter:
    """Tells each topic's listeners when the number changes, at most once per tick."""

    def __init__(self, redis: Redis, hub: Hub) -> None:
        self._redis = redis
        self._hub = hub
        self._me = secrets.token_hex(6)
        self._said: dict[str, int] = {}
        self._told: dict[str, int] = {}
        self._next = 0  # of the topics that are counted in turns

    async def run(self) -> None:
        """Counts until it is cancelled. Never fails: presence is a courtesy."""
        tick = 0
        while True:
            await asyncio.sleep(random.uniform(1, 1.2) * limits.PRESENCE_SECONDS)
            tick += 1
            try:
                await self._count(tick)
            except (RedisError, OSError) as error:
                log.debug("not counted: %s", error)

    async def _count(self, tick: int) -> None:
        here = {topic.name: len(topic.listeners) for topic in self._hub.topics.values() if topic.listeners}
        changed = {name: here.get(name, 0) for name in self._said.keys() | here.keys()}
        # Each topic is repeated every REPEAT_TICKS, some at a time.
        changed = {
            name: count
            for name, count in changed.items()
            if count != self._said.get(name) or (hash(name) - tick) % limits.REPEAT_TICKS == 0
        }
        # However many topics there are, Redis is asked for some: thousands are counted less often.
        names = list(here)[self._next : self._next + limits.PRESENCE_TOPICS]
        self._next = self._next + len(names) if self._next + len(names) < len(here) else 0
        async with self._redis.pipeline(transaction=False) as pipe:
            for name, count in changed.items():
                self._say(pipe, name, count)
            for name in names:
                pipe.hvals(keys.presence(name))
            answers = await pipe.execute()
        self._said = here
        for name, counts in zip(names, answers[len(answers) - len(names) :], strict=True):
            self._tell(name, sum(map(int, counts)))
        for name in self._told.keys() - here.keys():
            del self._told[name]

    def _say(self, pipe: Any, name: str, count: int) -> None:
        if count:
            pipe.hset(keys.presence(name), self._me, count)
            # The field expires by itself, and the hash with its last field.
            pipe.hexpire(keys.presence(name), limits.FORGET_SECONDS, self._me)
        else:
            pipe.hdel(keys.presence(name), self._me)

    def _tell(self, name: str, count: int) -> None:
        topic = self._hub.topics.get(name)
        if topic is None:
            return
        notice = Notice("presence", Presence(topic=name, count=count).model_dump_json().encode())
        if self._told.get(name) == count:
            topic.greet(notice)
        else:
            self._told[name] = count
            topic.tell(notice)
