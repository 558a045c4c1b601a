"""Who is on a topic is told as fast as it may be, and what waits is told together."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import pytest

from asgi_app import limits
from asgi_app.people import Rolls
from asgi_app.topics import budget
from asgi_app.topics.people import Person, Share
from asgi_app.topics.topic import Topic
from asgi_app.transports.messages import People


class Recorder:
    """A listener that remembers, and checks what it is told."""

    def __init__(self) -> None:
        self.told: list[dict[str, Any]] = []

    def write(self, batch: Any) -> None:
        for message in batch.messages:
            People.model_validate_json(message)
            self.told.append(json.loads(message))

    @property
    def here(self) -> set[str]:
        """Whom it knows, as a client does."""
        here: set[str] = set()
        for message in self.told:
            here = set() if "people" in message else here
            here |= {one["id"] for one in message.get("people", []) + message.get("joined", [])}
            here -= set(message.get("left", []))
        return here


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """What rates go by."""
    clock = SimpleNamespace(now=1000.0)
    monkeypatch.setattr(budget, "time", SimpleNamespace(monotonic=lambda: clock.now))
    return clock


def topic_of(*listeners: Recorder, name: str = "board:a") -> Topic:
    topic = Topic(name, later=lambda _seconds, callback: callback())
    for listener in listeners:
        topic.join(listener)  # type: ignore[arg-type]
    return topic


def people(*numbers: int) -> list[Share]:
    everybody = [Person.of(f"{number}", b'{"name":"Zo\xc3\xab"}') for number in numbers]
    return [Share.of(len(everybody) + 1, everybody)]


def test_who_comes_is_told_who_is_there_and_the_others_what_has_changed(clock: SimpleNamespace) -> None:
    rolls, first, second = Rolls(), Recorder(), Recorder()
    topic = topic_of(first)
    assert rolls.tell(topic, people(1, 2))
    topic.join(second)  # type: ignore[arg-type]
    clock.now += 1
    told = len(first.told)
    assert rolls.tell(topic, people(2, 3))
    assert [message.keys() - {"op", "topic", "count"} for message in first.told[told:]] == [
        {"joined", "left"}
    ]
    assert any("people" in message for message in second.told)
    assert first.here == second.here == {"2", "3"}
    assert first.told[-1]["count"] == 2
    told = len(first.told)
    assert rolls.tell(topic, people(2, 3))
    assert len(first.told) == told


def test_changes_that_come_too_fast_for_a_listener_are_told_later_and_together(
    clock: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "PEOPLE_BYTES_PER_SECOND", 10)
    rolls, first, late = Rolls(), Recorder(), Recorder()
    topic = topic_of(first)
    assert rolls.tell(topic, people(1))
    told = len(first.told)
    for number in range(2, 30):
        assert not rolls.tell(topic, people(number))
    # Who comes meanwhile is told what the others were told.
    topic.join(late)  # type: ignore[arg-type]
    assert not rolls.tell(topic, people(30))
    assert late.here == {"1"}
    assert len(first.told) == told
    clock.now += 60
    assert rolls.tell(topic, people(30))
    assert len(first.told) == told + 1
    assert first.here == late.here == {"30"}


def test_a_process_that_has_told_too_much_tells_nobody_for_a_while(
    clock: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "ALL_PEOPLE_BYTES_PER_SECOND", 100)
    rolls, listener, other = Rolls(), Recorder(), Recorder()
    assert rolls.tell(topic_of(*[Recorder() for _ in range(50)], name="board:loud"), people(1))
    topic = topic_of(listener, other)
    assert not rolls.tell(topic, people(2))
    assert not listener.told
    clock.now += 3600
    assert rolls.tell(topic, people(3))
    assert listener.here == other.here == {"3"}


def test_where_nobody_says_who_they_are_nobody_is_told(clock: SimpleNamespace) -> None:  # noqa: ARG001
    rolls, listener = Rolls(), Recorder()
    assert rolls.tell(topic_of(listener), people())
    assert not listener.told
