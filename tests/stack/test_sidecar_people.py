"""Who is on a topic, as far as they say, is told to all: soon, seldom, and rightly even after a death."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from asgi_app import limits
from tests.harness.clients import Socket
from tests.harness.lone import KEY, LoneSidecar
from tests.harness.redis_server import RedisServer
from tests.harness.sidecar import signed

SETTINGS = {"PUBLIC_TOPICS": "board:*,news", "WHISPER_TOPICS": "board:*,room:*"}


@pytest.fixture(scope="module")
def server() -> Iterator[RedisServer]:
    with RedisServer() as running:
        yield running


@pytest.fixture(scope="module")
def one(server: RedisServer) -> Iterator[LoneSidecar]:
    with LoneSidecar(server, **SETTINGS) as running:
        yield running


@pytest.fixture
def topic(board: str) -> str:
    return f"board:{board}"


class Member(Socket):
    """A client that keeps the roll of a topic."""

    def __init__(self, sidecar: LoneSidecar, topic: str, me: Any = None, ticket: str | None = None) -> None:
        super().__init__(sidecar, **({"ticket": ticket} if ticket else {}))  # type: ignore[arg-type]
        self.people: dict[str, Any] = {}
        self.count = 0
        self.told = 0
        self.send({"op": "subscribe", "topic": topic} | ({"me": me} if me else {}))
        self.expect("subscribed")

    def hear(self, seconds: float = 30) -> None:
        """Takes the next message about people.

        Raises:
            TimeoutError: none came.
        """
        message = self.expect("people", seconds)
        if "people" in message:
            self.people = {}
        for one in message.get("people", []) + message.get("joined", []):
            self.people[one["id"]] = one["me"]
        for id_ in message.get("left", []):
            self.people.pop(id_, None)
        self.count = message["count"]
        self.told += 1

    def until(self, condition: Callable[[], bool]) -> None:
        """Hears of people until it is so."""
        while not condition():
            self.hear()

    def sees(self, *expected: Any) -> None:
        """Hears of people until these are there, and no others."""
        self.until(
            lambda: self.count == len(expected) and in_order(self.people.values()) == in_order(expected)
        )


def in_order(people: Any) -> list[str]:
    return sorted(map(str, people))


def test_all_see_who_comes_and_goes_in_all_processes_and_who_dies(
    one: LoneSidecar, server: RedisServer, topic: str
) -> None:
    ann, bob, eve = {"name": "Ann"}, {"name": "Bob", "color": "plum"}, {"name": "Eve"}
    with LoneSidecar(server, **SETTINGS) as two, ExitStack() as exits:
        members = [exits.enter_context(Member(one, topic, ann))]
        members[0].sees(ann)
        members.append(exits.enter_context(Member(two, topic, bob)))
        watcher = exits.enter_context(Member(two, topic))
        for member in (*members, watcher):
            member.sees(ann, bob)
        third = Member(one, topic, eve)
        for member in (*members, watcher, third):
            member.sees(ann, bob, eve)
        third.close()
        for member in (*members, watcher):
            member.sees(ann, bob)
        two.process.kill()
        members[0].sees(ann)


def test_who_subscribes_again_may_say_something_else(one: LoneSidecar, topic: str) -> None:
    with Member(one, topic, {"name": "Ann"}) as ann, Member(one, topic) as watcher:
        watcher.sees({"name": "Ann"})
        before = list(watcher.people)
        ann.send({"op": "subscribe", "topic": topic, "me": {"name": "Anna"}})
        watcher.sees({"name": "Anna"})
        assert list(watcher.people) == before
        # It is also the one by which whispers come.
        ann.send({"op": "whisper", "topic": topic, "data": 1})
        assert watcher.expect("whisper")["from"] == before[0]


def test_what_the_ticket_says_cannot_be_said_otherwise(one: LoneSidecar) -> None:
    ticket = signed(KEY, ["room:1"], me={"name": "Ann"})
    with Member(one, "room:1", {"name": "Bob"}, ticket) as ann:
        ann.sees({"name": "Ann"})


def test_of_a_crowd_the_first_are_named_and_all_are_counted(one: LoneSidecar, topic: str) -> None:
    with Member(one, topic) as watcher, ExitStack() as exits:
        crowd = [
            exits.enter_context(Member(one, topic, {"n": number})) for number in range(limits.PEOPLE + 5)
        ]
        watcher.until(lambda: watcher.count == len(crowd))
        assert in_order(watcher.people.values()) == in_order({"n": number} for number in range(limits.PEOPLE))
        crowd[0].close()
        watcher.until(lambda: watcher.count == len(crowd) - 1)
        assert in_order(watcher.people.values()) == in_order(
            {"n": number} for number in range(1, limits.PEOPLE + 1)
        )


def test_however_many_come_it_is_told_once_a_second(one: LoneSidecar, topic: str) -> None:
    with Member(one, topic) as watcher, ExitStack() as staying:
        begun, crowd = time.monotonic(), 0
        while time.monotonic() - begun < 4 or crowd < 30:
            crowd += 1
            staying.enter_context(Member(one, topic, {"n": crowd}))
            time.sleep(0.05)
        watcher.until(lambda: watcher.count == crowd)
        assert 2 <= watcher.told <= time.monotonic() - begun + 2


def test_where_it_is_not_allowed_nobody_is_told(one: LoneSidecar) -> None:
    with Member(one, "news", {"name": "Ann"}) as ann:
        # Told of numbers, but of nobody.
        assert ann.expect("presence")["count"] == 1
        with pytest.raises(TimeoutError):
            ann.hear(2.5 * limits.PRESENCE_SECONDS)


def test_who_says_too_much_is_told_so(one: LoneSidecar, topic: str) -> None:
    with Socket(one) as socket:  # type: ignore[arg-type]
        for me in ({"name": "x" * limits.ME_BYTES}, "Ann", []):
            socket.send({"op": "subscribe", "topic": topic, "me": me})
            assert socket.receive()["code"] == "bad_message"
