"""Who is on a topic, as far as they say, is told to all: soon, seldom, and rightly even after a death."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from asgi_app import limits
from asgi_app.topics import keys
from tests.harness.clients import Socket, http, wait_for
from tests.harness.lone import KEY, LoneSidecar
from tests.harness.redis_server import RedisServer
from tests.harness.sidecar import signed

# One address may use all there is: how much else it may is for tests/hostile.
ALONE = {"MAX_SOCKETS": "1000", "MAX_SOCKETS_PER_CLIENT": "1000"}
SETTINGS = {"PUBLIC_TOPICS": "board:*,news", "WHISPER_TOPICS": "board:*,room:*", **ALONE}


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


def test_a_ticket_says_nothing_on_topics_that_it_does_not_open(one: LoneSidecar, topic: str) -> None:
    ticket = signed(KEY, ["room:1"], me={"name": "Ann"})
    with Member(one, topic, {"name": "Bob"}, ticket) as bob, Member(one, topic, None, ticket) as nobody:
        for member in (bob, nobody):
            member.sees({"name": "Bob"})


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
        for me in ({"name": "x" * limits.ME_BYTES}, "Ann", [], {"n": float("inf")}):
            socket.send({"op": "subscribe", "topic": topic, "me": me})
            assert socket.receive()["code"] == "bad_message"


def test_an_address_may_say_it_only_so_often_and_leaving_gives_it_back(
    server: RedisServer, topic: str
) -> None:
    settings = {**SETTINGS, "MAX_SOCKETS": "2", "MAX_SOCKETS_PER_CLIENT": "2"}
    most = 2 * limits.TOPICS_PER_SOCKET
    with LoneSidecar(server, **settings) as sidecar:

        def introduce(socket: Socket, number: int) -> None:
            subscribe = {"op": "subscribe", "topic": f"{topic}-{number % most}", "me": {"n": number}}
            socket.send(subscribe)
            assert socket.expect("subscribed")["topic"] == subscribe["topic"]

        for _ in range(2):
            with Socket(sidecar) as first, Socket(sidecar) as second:  # type: ignore[arg-type]
                for number in range(most):
                    introduce(first, number)
                introduce(second, 0)
                error = second.expect("error")
                # It listens all the same.
                assert (error["code"], "topic" in error) == ("too_many_introductions", False)
                for number in range(most):  # in place of what it said before
                    introduce(first, number)
                first.send({"op": "unsubscribe", "topic": f"{topic}-1"})
                first.send({"op": "ping"})
                first.expect("pong")
                introduce(second, 1)
                second.send({"op": "ping"})
                while (message := second.receive())["op"] != "pong":
                    assert message["op"] != "error"
            with http(sidecar) as client:  # type: ignore[arg-type]
                wait_for(
                    lambda: "corkboard_connections 0.0" in client.get("/metrics").text.splitlines(),
                    "the places to be free",
                )


def test_an_address_may_say_it_only_so_many_times_a_second(server: RedisServer, topic: str) -> None:
    settings = {**SETTINGS, "MAX_SOCKETS": "8000", "MAX_SOCKETS_PER_CLIENT": "10"}  # one in two seconds
    with LoneSidecar(server, **settings) as sidecar, Socket(sidecar) as socket:  # type: ignore[arg-type]
        for number in range(20):
            socket.send({"op": "subscribe", "topic": topic, "me": {"n": number}})
        assert socket.expect("error")["code"] == "too_many_introductions"


def test_what_another_version_writes_ends_the_counting_for_as_long_as_it_is_there(
    one: LoneSidecar, server: RedisServer, topic: str
) -> None:
    server.client().hset(keys.PROCESSES, "other", "other of-another-version")
    try:
        with Member(one, topic, {"name": "Ann"}) as ann:
            with pytest.raises(TimeoutError):
                ann.hear(2.5 * limits.PRESENCE_SECONDS)
            server.client().hdel(keys.PROCESSES, "other")
            ann.sees({"name": "Ann"})
    finally:
        server.client().hdel(keys.PROCESSES, "other")
