"""What this process knows of one topic: its position, its last events, who listens. No I/O."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterator, Sequence

from asgi_app import limits, metrics
from asgi_app.topics.budget import Allowance
from asgi_app.topics.cursor import BEGINNING, Cursor
from asgi_app.topics.event import Batch, Event, Joined, Notice, Whisper
from asgi_app.topics.listener import Listener
from asgi_app.topics.people import Person

# Called with a topic, events, and how many listeners they were written to. None while nothing is traced.
on_delivered: Callable[[str, Batch, int], None] | None = None


class Topic:
    """A position that moves to the next event; any other jump is reported to the listeners.

    Events come from the channel and from the stream; each is taken once and in order.
    """

    def __init__(
        self,
        name: str,
        later: Callable[[float, Callable[[], None]], object] | None = None,
        come_and_go: set[str] | None = None,
    ) -> None:
        self.name = name
        self._come_and_go = set() if come_and_go is None else come_and_go
        self.position: Cursor | None = None  # None: not read yet
        self.listeners: set[Listener] = set()
        self._ungreeted: set[Listener] = set()
        self.strangers: set[Listener] = set()  # those who were not told who is there
        # Those who say who they are, in the order in which they came.
        self.people: dict[Listener, Person] = {}
        self.bytes = 0  # of the tail
        self._tail: deque[Event] = deque()  # the events up to `position`
        # What is still to be done, in order: events to write, listeners to add after them, a loss to report,
        # somebody to tell that it is done so far.
        # New events wait here while a large audience is written to.
        self._queue: deque[Event | Notice | Listener | Cursor | asyncio.Future[None]] = deque()
        self._work: Iterator[None] | None = None
        self._later = later or asyncio.get_running_loop().call_later
        self.owner: Allowance | None = None  # of the address with which it began

    def accept(self, cursor: Cursor, event: Event) -> bool:
        """Takes an event of the channel. False: an event before it is missing, or the epoch is another."""
        if self.position is None or not self._continues(cursor.epoch):
            return False
        if cursor.offset <= self.position.offset:
            return True
        if cursor.offset > self.position.offset + 1:
            return False
        self._advance(cursor, event)
        self._enqueue(event)
        return True

    def fill(self, asked: Cursor | None, now: Cursor, events: Sequence[tuple[int, Event]]) -> bool:
        """Takes what the stream held after `asked`, when the topic was at `now`. True: there is more to read.

        The answer may be older than what the channel brought meanwhile. When the stream does not continue
        at this topic's position, all listeners learn that there is a gap.
        """
        start = events[0][0] - 1 if events else now.offset
        if asked is None or self.position is None:
            self.position = Cursor(now.epoch, start)
        elif (
            asked == self.position != BEGINNING
            and now.epoch != asked.epoch
            and start == asked.offset != now.offset
        ):
            # Another history goes on where this one was: all that it brought since is there.
            self.lose(Cursor(now.epoch, start))
        elif (
            (asked != BEGINNING and now.epoch != asked.epoch)
            or now.offset < asked.offset
            or start > self.position.offset
        ):
            self.lose(now)
            return False
        elif not self._continues(now.epoch):
            return False
        for offset, event in events:
            if offset > self.position.offset:
                self._advance(Cursor(now.epoch, offset), event)
                self._enqueue(event)
                metrics.gaps.inc(asked is not None)
        return self.position.offset < now.offset

    def lose(self, now: Cursor) -> None:
        """What is known is of a history that is over: tells all listeners, and goes on at `now`."""
        self.position = now
        self.forget()
        self._enqueue(now)

    def missing(self, cursor: Cursor) -> int:
        """How many events lie between `cursor` and the topic's position.

        Raises:
            LookupError: `cursor` is of another epoch, or ahead of the topic.
        """
        if self.position is None:
            raise LookupError("not read yet")
        missing = self.position.offset - cursor.offset
        if missing < 0 or not (cursor == BEGINNING or cursor.epoch == self.position.epoch):
            raise LookupError(f"{cursor} is not on the way to {self.position}")
        return missing

    @property
    def forgotten(self) -> int:
        """The offset of the last event that is no longer in memory."""
        return (self.position.offset if self.position else 0) - len(self._tail)

    def remembers(self, count: int) -> bool:
        """Whether the last `count` events are in memory."""
        return count <= len(self._tail)

    @property
    def newest(self) -> Event | None:
        """The event at the topic's position, when it is in memory."""
        return self._tail[-1] if self._tail else None

    def last(self, count: int) -> Iterator[Event]:
        """The last `count` events, from the first of them on; the topic remembers so many."""
        return (self._tail[index] for index in range(-count, 0))

    def tell(self, notice: Notice) -> None:
        """Writes a notice to all listeners, in its place among the events."""
        self._ungreeted.clear()
        self._enqueue(notice)

    def whisper(self, whisper: Whisper) -> None:
        """Writes it to all listeners but its speaker."""
        self._enqueue(whisper)

    def greet(self, notice: Notice) -> None:
        """Writes a notice to the listeners that joined since the last `tell` or `greet`."""
        for listener in self._ungreeted:
            listener.write(notice)
        self._ungreeted.clear()

    def acquaint(self, notice: Notice) -> None:
        """Writes to the strangers who is there. They are none any more."""
        for listener in self.strangers:
            listener.write(notice)
        self.strangers.clear()

    def introduce(self, listener: Listener, person: Person) -> None:
        """Says who a listener is, until it leaves."""
        self.people[listener] = person
        self._come_and_go.add(self.name)

    async def written(self) -> None:
        """Returns when what came so far is written to all listeners."""
        if self._work is not None:
            done = asyncio.get_running_loop().create_future()
            self._queue.append(done)
            await done

    def join(self, listener: Listener) -> None:
        """Gives `listener` every event after `position`, and none that is already on its way to others."""
        if self._work is None:
            self._add(listener)
        else:
            self._queue.append(listener)

    def leave(self, listener: Listener) -> None:
        """Ends `join`."""
        self.listeners.discard(listener)
        self.people.pop(listener, None)
        self._come_and_go.add(self.name)
        self._ungreeted.discard(listener)
        self.strangers.discard(listener)
        if listener in self._queue:
            self._queue.remove(listener)

    def forget(self) -> None:
        """Gives the tail's memory back; those who need it read it from the stream."""
        self._tail.clear()
        self.bytes = 0

    def _continues(self, epoch: str) -> bool:
        return self.position == BEGINNING or (self.position is not None and self.position.epoch == epoch)

    def _advance(self, cursor: Cursor, event: Event) -> None:
        self.position = cursor
        self._tail.append(event)
        self.bytes += len(event.json)
        while len(self._tail) > limits.TAIL_EVENTS or self.bytes > limits.TAIL_BYTES:
            self.bytes -= len(self._tail.popleft().json)

    def _enqueue(self, item: Event | Notice | Cursor) -> None:
        if self.listeners or self._work is not None:
            self._queue.append(item)
            if self._work is None:
                self._work = self._work_off()
                large = len(self.listeners) >= limits.LARGE_LISTENERS
                self._later(limits.COALESCE_SECONDS if large else 0, self._turn)

    def _turn(self) -> None:
        if self._work is not None and next(self._work, self) is self:
            self._work = None
        else:
            self._later(0, self._turn)

    def _work_off(self) -> Iterator[None]:
        while self._queue:
            item = self._queue.popleft()
            if isinstance(item, Event):
                events = [item]
                while self._queue and isinstance(self._queue[0], Event):
                    events.append(self._queue.popleft())  # type: ignore[arg-type]
                yield from self._write(Batch(events))
            elif isinstance(item, Whisper):
                whispers = [item]
                while self._queue and isinstance(self._queue[0], Whisper):
                    whispers.append(self._queue.popleft())  # type: ignore[arg-type]
                yield from self._whisper(whispers)
            elif isinstance(item, Notice):
                yield from self._write(item)
            elif isinstance(item, Cursor):
                for listener in tuple(self.listeners):
                    listener.subscribed(self.name, item, False)
            elif isinstance(item, asyncio.Future):
                if not item.done():
                    item.set_result(None)
            else:
                self._add(item)

    def _add(self, listener: Listener) -> None:
        self.listeners.add(listener)
        self._ungreeted.add(listener)
        self.strangers.add(listener)
        self._come_and_go.add(self.name)

    def _write(self, batch: Batch) -> Iterator[None]:
        audience = tuple(self.listeners)
        for start in range(0, len(audience), limits.SLICE_LISTENERS):
            if start:
                yield
            for listener in self._slice(audience, start):
                listener.write(batch)
        if batch.events:
            metrics.delivered(batch.events[0].json, len(batch.events), len(audience))
            if on_delivered is not None:
                on_delivered(self.name, batch, len(audience))

    def _whisper(self, whispers: Sequence[Whisper]) -> Iterator[None]:
        batch, audience = Joined(whispers), tuple(self.listeners)
        speakers = {whisper.speaker for whisper in whispers}
        for start in range(0, len(audience), limits.SLICE_LISTENERS):
            if start:
                yield
            for listener in self._slice(audience, start):
                if listener not in speakers:
                    listener.whisper(batch)
                elif others := [whisper for whisper in whispers if whisper.speaker is not listener]:
                    listener.whisper(Joined(others))

    def _slice(self, audience: Sequence[Listener], start: int) -> Sequence[Listener]:
        part = audience[start : start + limits.SLICE_LISTENERS]
        # One that left meanwhile may have come back with a cursor, and gets this from there.
        return [listener for listener in part if listener in self.listeners] if start else part
