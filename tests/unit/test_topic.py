"""A topic takes each event once and in order, whoever brings it, and never hides a gap."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from asgi_app.limits import SLICE_LISTENERS, TAIL_EVENTS
from asgi_app.topics.cursor import BEGINNING, Cursor
from asgi_app.topics.event import Batch, Event, Notice, Whisper
from asgi_app.topics.topic import Topic


class Recorder:
    """A listener that remembers."""

    def __init__(self) -> None:
        self.events: list[bytes] = []
        self.lost: list[Cursor] = []

    def write(self, batch: Batch) -> None:
        self.events.extend(batch.messages)

    def subscribed(self, topic: str, cursor: Cursor, recovered: bool) -> None:  # noqa: ARG002
        assert not recovered
        self.lost.append(cursor)


class Loop:
    """An event loop that turns when it is told to."""

    def __init__(self) -> None:
        self.callbacks: list[Callable[[], None]] = []

    def later(self, _seconds: float, callback: Callable[[], None]) -> None:
        self.callbacks.append(callback)

    def turn(self) -> None:
        callbacks, self.callbacks = self.callbacks, []
        for callback in callbacks:
            callback()

    def settle(self) -> None:
        while self.callbacks:
            self.turn()


def json(offset: int) -> bytes:
    return f"event {offset}".encode()


def event(offset: int) -> Event:
    return Event(b"a-%d" % offset, json(offset))


def events(first: int, last: int) -> list[tuple[int, Event]]:
    return [(offset, event(offset)) for offset in range(first, last + 1)]


def memory(topic: Topic, cursor: Cursor) -> list[bytes] | None:
    missing = topic.missing(cursor)
    return [event.json for event in topic.last(missing)] if topic.remembers(missing) else None


@pytest.fixture
def recorder() -> Recorder:
    return Recorder()


@pytest.fixture
def loop() -> Loop:
    return Loop()


@pytest.fixture
def topic(recorder: Recorder, loop: Loop) -> Topic:
    """At offset 5 of epoch `a`, with events 3 to 5 in memory and one listener."""
    made = Topic("t", loop.later)
    made.fill(None, Cursor("a", 5), events(3, 5))
    made.join(recorder)
    return made


def test_the_next_event_is_delivered(topic: Topic, recorder: Recorder, loop: Loop) -> None:
    assert topic.accept(Cursor("a", 6), event(6))
    loop.settle()
    assert recorder.events == [json(6)]
    assert topic.position == Cursor("a", 6)


def test_an_event_that_comes_twice_is_delivered_once(topic: Topic, recorder: Recorder, loop: Loop) -> None:
    topic.accept(Cursor("a", 6), event(6))
    assert topic.accept(Cursor("a", 6), event(6))
    loop.settle()
    assert recorder.events == [json(6)]


def test_an_event_after_a_hole_waits_until_the_hole_is_filled(
    topic: Topic, recorder: Recorder, loop: Loop
) -> None:
    assert not topic.accept(Cursor("a", 8), event(8))
    loop.settle()
    assert recorder.events == []
    assert not topic.fill(Cursor("a", 5), Cursor("a", 8), events(6, 8))
    loop.settle()
    assert recorder.events == [json(6), json(7), json(8)]


def test_an_answer_that_the_channel_overtook_is_no_gap(topic: Topic, recorder: Recorder, loop: Loop) -> None:
    asked = topic.position
    topic.accept(Cursor("a", 6), event(6))
    assert not topic.fill(asked, Cursor("a", 5), [])
    assert topic.accept(Cursor("a", 7), event(7))
    loop.settle()
    assert recorder.events == [json(6), json(7)]
    assert recorder.lost == []


def test_a_page_that_does_not_reach_the_end_asks_for_more(
    topic: Topic, recorder: Recorder, loop: Loop
) -> None:
    assert topic.fill(Cursor("a", 5), Cursor("a", 9), events(6, 7))
    assert not topic.fill(Cursor("a", 7), Cursor("a", 9), events(8, 9))
    loop.settle()
    assert recorder.events == [json(offset) for offset in range(6, 10)]


def test_a_trimmed_gap_is_said_aloud(topic: Topic, recorder: Recorder, loop: Loop) -> None:
    assert not topic.fill(Cursor("a", 5), Cursor("a", 90), events(80, 90))
    loop.settle()
    assert recorder.events == []
    assert recorder.lost == [Cursor("a", 90)]


@pytest.mark.parametrize(
    "now", [BEGINNING, Cursor("b", 2), Cursor("b", 5), Cursor("b", 50), Cursor("a", 4)], ids=str
)
def test_lost_data_is_said_aloud(topic: Topic, recorder: Recorder, loop: Loop, now: Cursor) -> None:
    assert not topic.fill(Cursor("a", 5), now, [])
    loop.settle()
    assert recorder.lost == [now]
    assert topic.position == now


def test_the_first_events_of_a_new_epoch_follow_the_loss(
    topic: Topic, recorder: Recorder, loop: Loop
) -> None:
    assert not topic.fill(Cursor("a", 5), Cursor("b", 7), events(6, 7))
    loop.settle()
    assert recorder.lost == [Cursor("b", 5)]
    assert recorder.events == [json(6), json(7)]


def test_an_event_of_a_new_epoch_is_not_taken_for_the_next_one(
    topic: Topic, recorder: Recorder, loop: Loop
) -> None:
    assert not topic.accept(Cursor("b", 6), event(6))
    loop.settle()
    assert recorder.events == []


def test_the_first_event_of_a_topic_continues_from_its_beginning(recorder: Recorder, loop: Loop) -> None:
    topic = Topic("t", loop.later)
    topic.fill(None, BEGINNING, [])
    topic.join(recorder)
    assert topic.accept(Cursor("a", 1), event(1))
    assert not topic.fill(BEGINNING, BEGINNING, [])
    loop.settle()
    assert recorder.events == [json(1)]
    assert recorder.lost == []


def test_what_is_in_memory_is_given_from_memory(topic: Topic) -> None:
    assert memory(topic, Cursor("a", 5)) == []
    assert memory(topic, Cursor("a", 3)) == [json(4), json(5)]
    assert memory(topic, Cursor("a", 1)) is None
    assert topic.forgotten == 2


@pytest.mark.parametrize("cursor", [Cursor("a", 6), Cursor("b", 3), Cursor("0", 3)], ids=str)
def test_a_cursor_from_elsewhere_is_refused(topic: Topic, cursor: Cursor) -> None:
    with pytest.raises(LookupError):
        topic.missing(cursor)


def test_memory_is_bounded(topic: Topic) -> None:
    last = 5 + 2 * TAIL_EVENTS
    topic.fill(Cursor("a", 5), Cursor("a", last), events(6, last))
    assert memory(topic, Cursor("a", last - TAIL_EVENTS)) is not None
    assert memory(topic, Cursor("a", last - TAIL_EVENTS - 1)) is None


def test_events_of_one_turn_are_written_together(topic: Topic, loop: Loop) -> None:
    batches: list[int] = []

    class Counting(Recorder):
        def write(self, batch: Batch) -> None:
            batches.append(len(batch.events))

    topic.join(Counting())
    for offset in range(6, 16):
        topic.accept(Cursor("a", offset), event(offset))
    loop.settle()
    assert batches == [10]


def test_whispers_of_one_turn_are_written_together_and_nobody_hears_their_own(
    topic: Topic, loop: Loop
) -> None:
    class Hearer(Recorder):
        def __init__(self) -> None:
            super().__init__()
            self.heard: list[list[bytes]] = []
            topic.join(self)  # type: ignore[arg-type]

        def whisper(self, batch: Batch) -> None:
            self.heard.append(list(batch.messages))

    topic.leave(*topic.listeners)
    speaker, another, hearer = Hearer(), Hearer(), Hearer()
    for word, who in ((b"a", speaker), (b"b", another), (b"c", None), (b"d", speaker)):
        topic.whisper(Whisper(word, who))
    loop.settle()
    assert hearer.heard == [[b"a", b"b", b"c", b"d"]]
    assert speaker.heard == [[b"b", b"c"]]
    assert another.heard == [[b"a", b"c", b"d"]]
    assert topic.position == Cursor("a", 5)


def test_who_joins_while_events_are_on_their_way_gets_only_those_after(topic: Topic, loop: Loop) -> None:
    topic.accept(Cursor("a", 6), event(6))
    late = Recorder()
    topic.join(late)
    topic.accept(Cursor("a", 7), event(7))
    loop.settle()
    assert late.events == [json(7)]


def test_who_leaves_while_waiting_to_join_stays_away(topic: Topic, loop: Loop) -> None:
    topic.accept(Cursor("a", 6), event(6))
    late = Recorder()
    topic.join(late)
    topic.leave(late)
    topic.accept(Cursor("a", 7), event(7))
    loop.settle()
    assert late.events == []


def test_a_large_audience_is_written_to_over_several_turns_and_in_order(topic: Topic, loop: Loop) -> None:
    audience = [Recorder() for _ in range(3 * SLICE_LISTENERS)]
    for recorder in audience:
        topic.join(recorder)
    topic.accept(Cursor("a", 6), event(6))
    turns = 0
    while loop.callbacks:
        loop.turn()
        turns += 1
        if turns == 2:
            topic.accept(Cursor("a", 7), event(7))
    assert turns > 3
    assert all(recorder.events == [json(6), json(7)] for recorder in audience)


def test_who_leaves_a_large_audience_and_comes_back_gets_nothing_twice(topic: Topic, loop: Loop) -> None:
    audience = [Recorder() for _ in range(2 * SLICE_LISTENERS)]
    for recorder in audience:
        topic.join(recorder)
    topic.accept(Cursor("a", 6), event(6))
    loop.turn()
    late = [recorder for recorder in audience if not recorder.events]
    assert late
    for recorder in late:
        topic.leave(recorder)
        recorder.write(Batch(list(topic.last(topic.missing(Cursor("a", 5))))))
        topic.join(recorder)
    topic.accept(Cursor("a", 7), event(7))
    loop.settle()
    assert all(recorder.events == [json(6), json(7)] for recorder in audience)


def test_only_who_came_since_the_last_time_is_greeted(topic: Topic, recorder: Recorder, loop: Loop) -> None:
    topic.tell(Notice("presence", b"one"))
    loop.settle()
    late, gone = Recorder(), Recorder()
    topic.join(late)
    topic.join(gone)
    topic.leave(gone)
    topic.acquaint(Notice("people", b"these"))
    topic.greet(Notice("presence", b"still one"))
    topic.greet(Notice("presence", b"and again"))
    topic.acquaint(Notice("people", b"and those"))
    # The first one was there before anybody was told who is there.
    assert recorder.events == [b"one", b"these"]
    assert late.events == [b"these", b"still one"]
    assert gone.events == []
