"""The topics that may lack events of their streams, until they have been compared."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection, Sequence
from itertools import islice

from redis.asyncio import Redis
from redis.exceptions import ResponseError

from asgi_app import limits
from asgi_app.topics import store
from asgi_app.topics.looks import Looks
from asgi_app.topics.topic import Topic

log = logging.getLogger(__name__)


class Gaps:
    """Collects names of topics, and fills the topics from their streams, many in one round trip."""

    on_elsewhere: Callable[[], None]  # called when a topic is on another server of a cluster

    def __init__(self, redis: Redis, questions: store.Questions) -> None:
        self._redis, self._questions = redis, questions
        self._marked: set[str] = set()
        self._work = asyncio.Event()
        self._waiting: dict[str, list[asyncio.Future[None]]] = {}
        self._asked: dict[str, list[asyncio.Future[None]]] = {}  # who waits for the answer that is on its way
        self.looks = Looks(questions)  # what is compared now and then, and looked at every time
        self._behind: set[str] = set()  # not compared since the last `begin`

    @property
    def caught_up(self) -> bool:
        """Whether all topics of the last `begin` have been compared since."""
        return not self._behind

    def begin(self, topics: Collection[str]) -> None:
        """Has all topics compared: anything may have happened to them."""
        self.looks.clear()
        self._behind = set(topics)
        self.mark(*topics)

    def remove(self, name: str) -> None:
        """Forgets a topic, except that `next` returns it once more."""
        self.looks.remove(name)
        self._behind.discard(name)
        self.mark(name)

    def hand_over(self, name: str) -> list[asyncio.Future[None]]:
        """Those who wait for the topic; from now on somebody else has to compare it."""
        return self._asked.pop(name, []) + self._waiting.pop(name, [])

    def take_over(self, name: str, waiting: Sequence[asyncio.Future[None]]) -> None:
        """Has a topic compared that another server had before: anything may have happened to it."""
        self._behind.add(name)
        if waiting:
            self._waiting.setdefault(name, []).extend(waiting)
        self.mark(name)

    def mark(self, *names: str) -> None:
        """Has these compared soon."""
        self._marked.update(names)
        self._work.set()

    async def look(self, topics: Collection[str]) -> None:
        """Marks those of the topics that are not where their streams are, by two commands for a hundred.

        Most are idle. Every topic is marked now and then, whatever the streams say, and at once unless it is
        among the `looks`.

        Raises:
            RedisError: Redis is not responding.
        """
        if len(topics) != len(self.looks):
            self.mark(*(name for name in topics if name not in self.looks))
        names, questions = self.looks.next()
        self.mark(*names)
        if questions:
            self.mark(*await self._questions.moved(self._redis, questions))

    async def compared(self, name: str) -> None:
        """Returns when the topic has been compared, after this call.

        Raises:
            TimeoutError: Redis is not responding.
        """
        done = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(name, []).append(done)
        self.mark(name)
        try:
            async with asyncio.timeout(limits.ANSWER_SECONDS + 1):
                await done
        except BaseException:
            # Nobody may ask for this topic again.
            waiting = self._waiting.get(name, [])
            if done in waiting:
                waiting.remove(done)
            if not waiting:
                self._waiting.pop(name, None)
            raise

    async def next(self) -> list[str]:
        """Waits for marked names, and takes some."""
        while not self._marked:
            self._work.clear()
            await self._work.wait()
        # Those first that a client waits for: the others may be thousands, and mostly nothing is missing.
        urgent = (name for name in self._waiting if name in self._marked)
        names = list(islice(urgent, limits.READ_TOPICS))
        left = limits.READ_TOPICS - len(names)
        if left > 0:
            self._marked.difference_update(names)
            names += islice(self._marked, left)
        self._marked.difference_update(names)
        return names

    async def fill(self, topics: list[Topic]) -> None:
        """Compares these topics.

        Raises:
            RedisError: Redis is not responding. Those who wait go on waiting, for the next call.
        """
        if not topics:
            return
        asked = [topic.position for topic in topics]
        self._asked = {topic.name: self._waiting.pop(topic.name, []) for topic in topics}
        # Once a session with what is known already, which says whether it is the history that it was.
        known = [topic.newest if topic.name in self._behind else None for topic in topics]
        wanted = [
            (topic.name, at.offset - (last is not None) if at else None)
            for topic, at, last in zip(topics, asked, known, strict=True)
        ]
        try:
            answers = await self._questions.read_many(self._redis, wanted)
        except BaseException:  # also when the session ends meanwhile
            for name, futures in self._asked.items():
                if futures:
                    self._waiting.setdefault(name, []).extend(futures)
            raise
        finally:
            waiting, self._asked = self._asked, {}
        for topic, before, last, answer in zip(topics, asked, known, answers, strict=True):
            if topic.name not in waiting:
                continue  # somebody else has it by now
            pending = [done for done in waiting[topic.name] if not done.done()]
            if isinstance(answer, store.ELSEWHERE):
                # It is marked again with the next look, and may be here again by then.
                self.looks.remove(topic.name)
                if pending:
                    self._waiting.setdefault(topic.name, []).extend(pending)
                self.on_elsewhere()
                continue
            if isinstance(answer, ResponseError):
                log.error("cannot read %s: %s", topic.name, answer)
                self._behind.discard(topic.name)
                for done in pending:
                    done.set_exception(answer)
                continue
            now, events = answer
            if last is not None and before and events and events[0][0] == before.offset:
                (_, first), *events = events
                if first.json != last.json and now.epoch == before.epoch:
                    log.error("%s has another history under the same epoch", topic.name)
                    topic.lose(now)
            if topic.fill(before, now, events):
                self.mark(topic.name)
            else:
                self._behind.discard(topic.name)
            for done in pending:
                done.set_result(None)
