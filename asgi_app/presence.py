"""How many listen to a topic, and who, over all processes: told to the listeners when it changes."""

from __future__ import annotations

import asyncio
import logging
import random

from redis.asyncio import Redis
from redis.exceptions import NoPermissionError, RedisError

from asgi_app import limits, tasks
from asgi_app.people import Rolls
from asgi_app.topics.counts import Counts
from asgi_app.topics.event import Notice
from asgi_app.topics.hub import Hub
from asgi_app.topics.older import Older
from asgi_app.topics.people import Share
from asgi_app.transports.messages import Presence

log = logging.getLogger(__name__)


class Counter:
    """Tells each topic's listeners when the number changes, at most once per tick."""

    def __init__(self, redis: Redis, hub: Hub, *, older: bool = True) -> None:
        """`older`: version 2.0 may run beside this one; it knows no cluster."""
        self._hub = hub
        self._counts = Counts(redis)
        self._older = Older(redis) if older else None
        self._rolls = Rolls()
        self._here: dict[str, Share] = {}  # of the topics with listeners
        self._told: dict[str, int] = {}
        # Topics of which something may have changed; those that wait for the longest come first.
        self._due: dict[str, None] = {}
        self._is_refused = False

    async def run(self) -> None:
        """Counts until it is cancelled. Never fails: presence is a courtesy."""
        tick = 0
        while True:
            await asyncio.sleep(random.uniform(1, 1.2) * limits.PRESENCE_SECONDS)
            tick += 1
            try:
                await self._count(repeat=tick % limits.REPEAT_TICKS == 0)
            except NoPermissionError:
                if not self._is_refused:
                    log.warning("Redis does not let this user count: it needs this version's users.acl")
                self._is_refused = True
            except (RedisError, OSError) as error:
                log.debug("not counted: %s", error)
            except Exception:
                log.exception("unexpected; trying again")

    async def _count(self, repeat: bool) -> None:
        moved = set(self._hub.come_and_go)
        self._hub.come_and_go.clear()
        async for name in tasks.in_turns(moved, limits.PRESENCE_TOPICS):
            topic = self._hub.topics.get(name)
            if topic is not None and topic.listeners:
                self._here[name] = Share.of(len(topic.listeners), topic.people.values())
            else:
                self._here.pop(name, None)
                self._told.pop(name, None)
                self._rolls.forget(name)
        self._due |= dict.fromkeys(moved)
        self._due |= dict.fromkeys(await self._counts.exchange(self._here, moved, repeat))
        if self._older:
            self._due |= dict.fromkeys(await self._older.exchange(self._here, repeat))
        due, self._due = self._due, {}
        pause = limits.PRESENCE_PAUSE_SECONDS
        async for name in tasks.in_turns(due, limits.PRESENCE_TOPICS, pause):
            if not self._tell(name):
                self._due[name] = None

    def _tell(self, name: str) -> bool:
        # False: there is more to tell later.
        topic = self._hub.topics.get(name)
        if topic is None or not topic.listeners:
            return True
        shares = [Share.of(len(topic.listeners), topic.people.values()), *self._counts.elsewhere(name)]
        count = sum([share.listeners for share in shares])
        if self._older:
            count += self._older.counts.get(name, 0)
        presence = Notice("presence", Presence(topic=name, count=count).model_dump_json().encode())
        if self._told.get(name) == count:
            topic.greet(presence)
        else:
            self._told[name] = count
            topic.tell(presence)
        return self._rolls.tell(topic, shares)
