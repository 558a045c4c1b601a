"""The topics of this process, and how a listener joins one without missing or repeating an event."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from itertools import islice

from cachetools import TTLCache

from asgi_app import limits, memory, metrics
from asgi_app.topics.budget import Allowance, Crowded
from asgi_app.topics.cursor import Cursor
from asgi_app.topics.event import Batch, Event
from asgi_app.topics.history import History
from asgi_app.topics.listener import Listener
from asgi_app.topics.source import Source
from asgi_app.topics.topic import Topic
from asgi_app.topics.whispers import Whispers

NOTHING = Batch(())
# One step towards the end of a topic: where it begins, whether that is what was asked, what follows.
Step = tuple[Cursor, bool, Batch]
# Topic, epoch, the offsets before the first event and of the last.
Key = tuple[str, str, int, int]


class Hub:
    """Keeps each topic that has listeners up to date, and for a while afterwards."""

    def __init__(self, reader: Source, whispers: Whispers, most_topics: int) -> None:
        self.whispers = whispers
        self.topics: dict[str, Topic] = {}
        self.come_and_go: set[str] = set()  # topics that listeners have joined or left; emptied by who counts
        self._reader = reader
        self._most_topics = most_topics
        self._history = History(reader.read)
        # Many clients come back from the same position: what they need is put together once.
        self._replays: TTLCache[Key, Batch] = TTLCache(
            limits.BLOCKS_BYTES, limits.BLOCKS_SECONDS, getsizeof=_size
        )
        self._interest: dict[str, int] = {}
        self._lingering: dict[str, asyncio.TimerHandle] = {}  # the longest first
        metrics.topics.set_function(lambda: len(self.topics))

    async def subscribe(
        self, name: str, since: Cursor | None, listener: Listener, allowance: Allowance
    ) -> None:
        """Tells `listener` where it begins, gives it what it missed, and everything from then on.

        It joins the live listeners only when nothing is missing any more, and without a pause in
        between: so there is no moment in which an event can be lost or come twice. `allowance` is that of
        the client's address.

        Raises:
            TimeoutError, RedisError: Redis is not responding.
            Crowded, TooManyTopics: the client, or everybody, uses all that it may.
            Gone: the listener wants no more. As after every exception, nothing is left behind.
        """
        topic = self._enter(name, allowance)
        try:
            if since is None:
                at, _, _ = await self._step(topic, None)
                listener.subscribed(name, at, True)
            else:
                await self._replay(topic, since, listener, allowance)
            topic.join(listener)
            metrics.subscriptions.inc()
        except BaseException:
            self._leave(topic)
            raise

    async def _replay(self, topic: Topic, since: Cursor, listener: Listener, allowance: Allowance) -> None:
        at, said = since, False
        while True:
            await allowance.begin_replay()
            size = 0
            try:
                at, recovered, batch = await self._step(topic, at)
                if not said:
                    metrics.recoveries.labels("recovered" if recovered else "lost").inc()
                if not (said and recovered):
                    listener.subscribed(topic.name, at, recovered)
                said = True
                if not batch.events:
                    return
                size = batch.size
                listener.write(batch)
                await listener.drained()
                at = Cursor(at.epoch, at.offset + len(batch.events))
                if at == topic.position:
                    return
            finally:
                allowance.end_replay(size)

    def unsubscribe(self, name: str, listener: Listener) -> None:
        """Ends a `subscribe` that succeeded."""
        topic = self.topics[name]
        topic.leave(listener)
        metrics.subscriptions.dec()
        self._leave(topic)

    async def written(self) -> None:
        """Returns when the events that came so far are written to all listeners."""
        await asyncio.gather(*[topic.written() for topic in tuple(self.topics.values())])

    async def keep_trimmed(self) -> None:
        """Keeps the tails of all topics within their bound, until it is cancelled."""
        most = before = 0
        while True:
            await asyncio.sleep(limits.TRIM_SECONDS)
            self.trim()
            now = len(self.topics)
            most = max(most, now)
            # Not while they leave: what others know of a topic goes a moment later.
            have_left = before <= now < most - limits.LEFT_TOPICS
            before = now
            if have_left:
                memory.clear_free_lists()
                most = now
            if [*self._replays.expire(), *self._history.forget_old()] or have_left:
                memory.give_back()

    def trim(self) -> None:
        """Forgets tails until the rest is within the bound; topics with few listeners come first."""
        total = sum(topic.bytes for topic in self.topics.values())
        if total <= limits.TAILS_BYTES:
            return
        for topic in sorted(self.topics.values(), key=lambda topic: len(topic.listeners)):
            if total <= limits.TAILS_BYTES:
                return
            total -= topic.bytes
            topic.forget()

    def _enter(self, name: str, allowance: Allowance) -> Topic:
        topic = self.topics.get(name)
        if topic is None:
            topic = self._begin(name, allowance)
        elif (timer := self._lingering.pop(name, None)) is not None:
            timer.cancel()
        self._interest[name] = self._interest.get(name, 0) + 1
        return topic

    def _begin(self, name: str, allowance: Allowance) -> Topic:
        allowance.check_topics()
        if len(self.topics) >= self._most_topics and not self._drop_lingering():
            metrics.limited.labels("topics").inc()
            raise Crowded
        topic = self.topics[name] = Topic(name, come_and_go=self.come_and_go)
        topic.owner = allowance
        allowance.topics += 1
        self._reader.follow(topic)
        self.whispers.follow(topic)
        return topic

    def _leave(self, topic: Topic) -> None:
        self._interest[topic.name] -= 1
        if self._interest[topic.name]:
            return
        if not topic.bytes:  # nothing that would be missed
            self._drop(topic)
            return
        if len(self._lingering) >= limits.LINGERING_TOPICS:
            self._drop_lingering()
        loop = asyncio.get_running_loop()
        self._lingering[topic.name] = loop.call_later(limits.LINGER_SECONDS, self._drop, topic)

    def _drop_lingering(self) -> bool:
        # The one that lingers longest; False when there is none.
        name = next(iter(self._lingering), None)
        if name is not None:
            self._drop(self.topics[name])
        return name is not None

    def _drop(self, topic: Topic) -> None:
        if (timer := self._lingering.pop(topic.name, None)) is not None:
            timer.cancel()
        self._reader.unfollow(topic)
        self.whispers.unfollow(topic)
        if topic.owner is not None:
            topic.owner.topics -= 1
        del self.topics[topic.name], self._interest[topic.name]

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
        missing = topic.missing(at)
        if not missing:
            return NOTHING
        now = _position(topic)
        end = now.offset
        if missing > limits.BLOCK_EVENTS or not topic.remembers(missing):
            # Up to where a block ends, so that those who began elsewhere go on with the same batches.
            end = min(end, (at.offset // limits.BLOCK_EVENTS + 1) * limits.BLOCK_EVENTS)
        if not topic.remembers(missing):
            end = min(end, topic.forgotten)
        key = topic.name, now.epoch, at.offset, end
        if (found := self._replays.get(key)) is not None:
            return found
        events: Iterable[Event]
        if topic.remembers(missing):
            events = topic.last(missing)
        else:
            events = await self._history.after(topic.name, Cursor(now.epoch, at.offset), end)
            if _position(topic).epoch != now.epoch:
                raise LookupError("lost meanwhile")
        batch = Batch(_some(islice(events, end - at.offset)))
        if _size(batch) <= self._replays.maxsize:
            self._replays[key] = batch
        return batch


def _some(events: Iterable[Event]) -> list[Event]:
    found, size = [], 0
    for event in events:
        found.append(event)
        size += len(event.json)
        if size >= limits.REPLAY_BYTES:
            break
    return found


def _size(batch: Batch) -> int:
    # The JSON may be in memory for this only, and up to two more forms of it.
    return 3 * batch.size + 1


def _position(topic: Topic) -> Cursor:
    if topic.position is None:
        raise TimeoutError("the topic has not been read yet")
    return topic.position
