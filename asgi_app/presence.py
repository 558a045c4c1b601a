"""How many are here, over all processes: each says its number, and Redis forgets who stops saying it."""

from __future__ import annotations

import asyncio
import logging
import random
import secrets
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import RedisError

from asgi_app.topics.event import Notice
from asgi_app.topics.hub import Hub
from asgi_app.transports.messages import Presence

log = logging.getLogger(__name__)

TICK_SECONDS = 1.0
# Said again this often, forgotten after this long: right again within 12 s of a process' death.
SAY_EVERY_TICKS = 4
FORGET_SECONDS = 10


class Counter:
    """Tells each topic's subscribers when the number changes, at most once a tick."""

    def __init__(self, redis: Redis, hub: Hub) -> None:
        self._redis = redis
        self._hub = hub
        self._me = secrets.token_hex(6)
        self._said: dict[str, int] = {}
        self._told: dict[str, int] = {}

    async def run(self) -> None:
        """Until it is cancelled. Never fails: presence is a courtesy."""
        tick = 0
        while True:
            await asyncio.sleep(random.uniform(1, 1.2) * TICK_SECONDS)
            tick += 1
            try:
                await self._count(everything=tick % SAY_EVERY_TICKS == 0)
            except (RedisError, OSError) as error:
                log.debug("not counted: %s", error)

    async def _count(self, everything: bool) -> None:
        here = {
            topic.name: len(topic.subscribers) for topic in self._hub.topics.values() if topic.subscribers
        }
        changed = {name: here.get(name, 0) for name in self._said.keys() | here.keys()}
        if not everything:
            changed = {name: count for name, count in changed.items() if count != self._said.get(name)}
        names = list(here)
        async with self._redis.pipeline(transaction=False) as pipe:
            for name, count in changed.items():
                self._say(pipe, name, count)
            for name in names:
                pipe.hvals(_key(name))
            answers = await pipe.execute()
        self._said = here
        for name, counts in zip(names, answers[len(answers) - len(names) :], strict=True):
            self._tell(name, sum(map(int, counts)))
        for name in self._told.keys() - here.keys():
            del self._told[name]

    def _say(self, pipe: Any, name: str, count: int) -> None:
        if count:
            pipe.hset(_key(name), self._me, count)
            # The field goes by itself, and the hash with its last field.
            pipe.hexpire(_key(name), FORGET_SECONDS, self._me)
        else:
            pipe.hdel(_key(name), self._me)

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


def _key(name: str) -> str:
    return f"presence:{{{name}}}"
