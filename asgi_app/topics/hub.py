"""The topics of this process, and how a listener joins one without missing or repeating an event."""

from __future__ import annotations

import asyncio

from asgi_app import limits, metrics
from asgi_app.topics.cursor import Cursor
from asgi_app.topics.event import Batch
from asgi_app.topics.history import History
from asgi_app.topics.listener import Listener
from asgi_app.topics.reader import Reader
from asgi_app.topics.topic import Topic

NOTHING = Batch(())
# One step towards the end of a topic: where it begins, whether that is what was asked, what follows.
Step = tuple[Cursor, bool, Batch]


class Hub:
    """Keeps each topic that has listeners up to date, and for a while afterwards."""

    def __init__(self, reader: Reader) -> None:
        self.topics: dict[str, Topic] = {}
        self._reader = reader
        self._history = History(reader.redis)
        self._interest: dict[str, int] = {}
        self._lingering: dict[str, asyncio.TimerHandle] = {}

    async def subscribe(self, name: str, since: Cursor | None, listener: Listener) -> None:
        """Tells `listener` where it begins, gives it what it missed, and everything from then on.

        It joins the live listeners only when nothing is missing any more, and without a pause in
        between: so there is no moment in which an event can be lost or come twice.

        Raises:
            TimeoutError, RedisError: Redis is not responding.
            Gone: the listener wants no more. As after every exception, nothing is left behind.
        """
        topic = self._enter(name)
        try:
            at, recovered, batch = await self._step(topic, since)
            if since is not None:
                metrics.recoveries.labels("recovered" if recovered else "lost").inc()
            listener.subscribed(name, at, recovered)
            while batch.events:
                listener.write(batch)
                await listener.drained()
                at = Cursor(at.epoch, at.offset + len(batch.events))
                at, recovered, batch = await self._step(topic, at)
                if not recovered:
                    listener.subscribed(name, at, False)
            topic.join(listener)
            metrics.subscriptions.inc()
        except BaseException:
            self._leave(topic)
            raise

    def unsubscribe(self, name: str, listener: Listener) -> None:
        """Ends a `subscribe` that succeeded."""
        topic = self.topics[name]
        topic.leave(listener)
        metrics.subscriptions.dec()
        self._leave(topic)

    async def keep_trimmed(self) -> None:
        """Keeps the tails of all topics within their bound, until it is cancelled."""
        while True:
            await asyncio.sleep(limits.TRIM_SECONDS)
            self.trim()

    def trim(self) -> None:
        """Forgets tails until the rest is within the bound; topics with few listeners come first."""
        total = sum(topic.bytes for topic in self.topics.values())
        for topic in sorted(self.topics.values(), key=lambda topic: len(topic.listeners)):
            if total <= limits.TAILS_BYTES:
                return
            total -= topic.bytes
            topic.forget()

    def _enter(self, name: str) -> Topic:
        topic = self.topics.get(name)
        if topic is None:
            topic = self.topics[name] = Topic(name)
            self._reader.follow(topic)
        elif (timer := self._lingering.pop(name, None)) is not None:
            timer.cancel()
        self._interest[name] = self._interest.get(name, 0) + 1
        return topic

    def _leave(self, topic: Topic) -> None:
        self._interest[topic.name] -= 1
        if not self._interest[topic.name]:
            loop = asyncio.get_running_loop()
            self._lingering[topic.name] = loop.call_later(limits.LINGER_SECONDS, self._drop, topic)

    def _drop(self, topic: Topic) -> None:
        self._reader.unfollow(topic)
        del self.topics[topic.name], self._interest[topic.name], self._lingering[topic.name]

    async def _step(self, topic: Topic, at: Cursor | None) -> Step:
        # The next events after `at`, none when it is the end; or the end, not recovered, when they are lost.
        if topic.position is None:
            await self._reader.refresh(topic)
        if at is None:
            return _position(topic), True, NOTHING
        try:
            batch = await self._after(topic, at)
        except LookupError:
            return _position(topic), False, NOTHING
        return Cursor(_position(topic).epoch, at.offset), True, batch

    async def _after(self, topic: Topic, at: Cursor) -> Batch:
        try:
            return await self._look_up(topic, at)
        except LookupError:
            # The cursor may come from a write, or a loss, that this process is about to learn of.
            await self._reader.refresh(topic)
            return await self._look_up(topic, at)

    async def _look_up(self, topic: Topic, at: Cursor) -> Batch:
        batch = topic.after(at)
        if batch is None:
            epoch = _position(topic).epoch
            batch = await self._history.after(topic.name, Cursor(epoch, at.offset))
            if _position(topic).epoch != epoch:
                raise LookupError("lost meanwhile")
        return batch


def _position(topic: Topic) -> Cursor:
    if topic.position is None:
        raise TimeoutError("the topic has not been read yet")
    return topic.position
