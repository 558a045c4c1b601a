"""Who listens to what, and how one comes to listen without missing or repeating an event."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Protocol

from asgi_app import metrics
from asgi_app.topics.cursor import Cursor
from asgi_app.topics.event import Batch
from asgi_app.topics.history import History
from asgi_app.topics.reader import Reader
from asgi_app.topics.topic import Subscriber, Topic

LINGER_SECONDS = 60.0
# All tails together. The topics that nobody listens to give theirs back first, then the least busy.
TAILS_BYTES = 64 * 1024 * 1024

NOTHING = Batch(())


class Client(Subscriber, Protocol):
    """A subscriber that can say when it has taken what was written."""

    async def drained(self) -> None:
        """Returns when there is room for more."""


@dataclass(frozen=True)
class Step:
    """One step towards the end of a topic: where it begins, whether that is what was asked, what follows."""

    begins: Cursor
    recovered: bool
    batch: Batch

    @property
    def ends(self) -> Cursor:
        """The cursor after the batch."""
        return Cursor(self.begins.epoch, self.begins.offset + len(self.batch.events))


class Hub:
    """The topics of this process."""

    def __init__(self, reader: Reader) -> None:
        self.topics: dict[str, Topic] = {}
        self._reader = reader
        self._history = History(reader.redis)
        self._interest: dict[str, int] = {}

    async def subscribe(self, name: str, since: Cursor | None, client: Client) -> None:
        """Tells `client` where it begins, gives it what it missed, and everything from then on.

        It joins the live subscribers only when nothing is missing any more, and without a pause in
        between: so there is no moment in which an event can be lost or come twice.

        Raises:
            TimeoutError, RedisError: Redis does not answer. Nothing is left behind.
        """
        topic = self.enter(name)
        try:
            step = await self.step(topic, since)
            if since is not None:
                metrics.recoveries.labels("recovered" if step.recovered else "lost").inc()
            client.subscribed(name, step.begins, step.recovered)
            while step.batch.events:
                client.write(step.batch)
                await client.drained()
                step = await self.step(topic, step.ends)
                if not step.recovered:
                    client.subscribed(name, step.begins, False)
            topic.join(client)
            metrics.subscriptions.inc()
        except BaseException:
            self.leave(topic)
            raise

    def unsubscribe(self, name: str, client: Subscriber) -> None:
        """Ends a `subscribe` that succeeded."""
        topic = self.topics[name]
        topic.leave(client)
        metrics.subscriptions.dec()
        self.leave(topic)

    async def step(self, topic: Topic, at: Cursor | None) -> Step:
        """The next events after `at`, none when it is the end; or the end itself, not recovered, when
        they cannot be had any more.

        Raises:
            TimeoutError, RedisError: Redis does not answer.
        """
        if topic.position is None:
            await self._reader.refresh(topic)
        if at is None:
            return Step(_position(topic), True, NOTHING)
        try:
            batch = await self._after(topic, at)
        except LookupError:
            return Step(_position(topic), False, NOTHING)
        return Step(Cursor(_position(topic).epoch, at.offset), True, batch)

    def enter(self, name: str) -> Topic:
        """The topic, followed until `leave`."""
        topic = self.topics.get(name)
        if topic is None:
            topic = self.topics[name] = Topic(name)
            self._reader.follow(topic)
        self._interest[name] = self._interest.get(name, 0) + 1
        return topic

    def leave(self, topic: Topic) -> None:
        """Ends `enter`. The topic stays for a while: who reloads a page, or comes back, finds it warm."""
        self._interest[topic.name] -= 1
        if not self._interest[topic.name]:
            asyncio.get_running_loop().call_later(LINGER_SECONDS, self._drop, topic)

    def trim(self) -> None:
        """Keeps the tails of all topics within their bound. Called every now and then."""
        total = sum(topic.bytes for topic in self.topics.values())
        for topic in sorted(self.topics.values(), key=lambda topic: len(topic.subscribers)):
            if total <= TAILS_BYTES:
                return
            total -= topic.bytes
            topic.forget()

    def _drop(self, topic: Topic) -> None:
        if self.topics.get(topic.name) is topic and not self._interest[topic.name]:
            self._reader.unfollow(topic)
            del self.topics[topic.name], self._interest[topic.name]

    async def _after(self, topic: Topic, at: Cursor) -> Batch:
        try:
            return await self._look_up(topic, at)
        except LookupError:
            # The cursor may come from a write, or a loss, that this process is just about to hear of.
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
