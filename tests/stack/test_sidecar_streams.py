"""Event streams and polls answer the same question as WebSockets, with the same guarantees."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from tests.harness.clients import Socket, http, wait_for
from tests.harness.local import LocalStack
from tests.harness.sidecar import Publisher, Replica, replicas, total
from tests.harness.stack import Stack


@dataclass
class Message:
    """One event of an event stream."""

    name: str = "message"
    id: str = ""
    data: Any = None
    retry: int | None = None
    comment: str | None = None


class Stream:
    """A client of /ws/events."""

    def __init__(self, response: httpx.Response) -> None:
        self.response = response
        self._lines = response.iter_lines()

    def next(self) -> Message:
        """What comes next, comments included.

        Raises:
            StopIteration: the stream has ended.
        """
        message = Message()
        for line in self._lines:
            if not line:
                return message
            field, _, value = line.partition(":")
            value = value.removeprefix(" ")
            if not field:
                message.comment = value
            elif field == "event":
                message.name = value
            elif field == "id":
                message.id = value
            elif field == "retry":
                message.retry = int(value)
            elif field == "data":
                message.data = json.loads(value)
        raise StopIteration

    def expect(self, name: str) -> Message:
        """The next event of this name."""
        while (message := self.next()).name != name or message.data is None:
            pass
        return message


@contextmanager
def stream(
    stack: Stack | Replica, topic: str, headers: Mapping[str, str | bytes] | None = None, **query: str
) -> Iterator[Stream]:
    with (
        http(stack) as client,  # type: ignore[arg-type]
        client.stream("GET", "/ws/events", params={"topic": topic, **query}, headers=headers) as response,
    ):
        assert response.status_code == 200, response.read()
        yield Stream(response)


def poll(stack: Stack | Replica, topic: str, seconds: float = 5, **query: str) -> dict[str, Any]:
    with http(stack) as client:  # type: ignore[arg-type]
        answer = client.get("/ws/poll", params={"topic": topic, "timeout": str(seconds), **query})
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found


def post(stack: Stack, board: str, text: str) -> dict[str, Any]:
    with http(stack) as client:
        answer = client.post("/api/notes", json={"board": board, "text": text})
        assert answer.status_code == 201, answer.text
        note: dict[str, Any] = answer.json()
        return note


@pytest.fixture
def topic(board: str) -> str:
    return f"board:{board}"


@pytest.fixture(scope="module")
def publish(local_stack: LocalStack) -> Publisher:
    return Publisher(local_stack.state.app_env)


def test_a_stream_says_where_it_begins_and_then_every_event_at_once(
    stack: Stack, board: str, topic: str
) -> None:
    with stream(stack, topic) as events:
        assert events.response.headers["Content-Type"].startswith("text/event-stream")
        assert events.response.headers["Cache-Control"] == "no-store"
        begun = events.expect("subscribed")
        assert begun.data == {"op": "subscribed", "topic": topic, "cursor": begun.id, "recovered": True}
        for number in range(3):
            sent = time.monotonic()
            note = post(stack, board, f"note {number}")
            event = events.expect("message")
            # Unbuffered: it does not wait for what comes next, a comment after 15 s.
            assert time.monotonic() - sent < 10
            assert event.data["op"] == "event"
            assert event.data["data"] == note
            assert event.id == event.data["id"]


@pytest.mark.parametrize("how", ["since", "Last-Event-ID", "both"])
def test_a_stream_continues_where_it_was_left(stack: Stack, board: str, topic: str, how: str) -> None:
    post(stack, board, "one")
    with stream(stack, topic, since="0-0") as events:
        last = events.expect("message").id
    notes = [post(stack, board, f"away {number}") for number in range(3)]
    # A browser repeats the address as it was: the header, which it adds, is newer.
    query = {"since": {"since": last, "both": "0-0"}[how]} if how != "Last-Event-ID" else {}
    headers = {"Last-Event-ID": last} if how != "since" else None
    with stream(stack, topic, headers, **query) as events:
        begun = events.expect("subscribed")
        assert begun.data["recovered"] is True
        assert begun.id == last
        assert [events.expect("message").data["data"] for _ in notes] == notes


@pytest.mark.parametrize("last", ["feed-1", "0-5", "nonsense", "é"])
def test_a_stream_that_cannot_be_continued_says_so(stack: Stack, board: str, topic: str, last: str) -> None:
    post(stack, board, "one")
    with stream(stack, topic, {"Last-Event-ID": last.encode()}) as events:
        begun = events.expect("subscribed")
        assert begun.data["recovered"] is False
        assert begun.id.endswith("-1")
        note = post(stack, board, "two")
        assert events.expect("message").data["data"] == note


def test_a_stream_tells_how_many_are_there(stack: Stack, topic: str) -> None:
    with stream(stack, topic) as events:
        assert events.expect("presence").data == {"op": "presence", "topic": topic, "count": 1}
        with stream(stack, topic) as second:
            assert second.expect("presence").data["count"] == 2
            assert events.expect("presence").data["count"] == 2
        assert events.expect("presence").data["count"] == 1


def test_a_quiet_stream_is_kept_alive_by_comments(local_stack: LocalStack, topic: str) -> None:
    with http(local_stack) as client:
        client.timeout = httpx.Timeout(40)
        with client.stream("GET", "/ws/events", params={"topic": topic}) as response:
            events = Stream(response)
            begun = time.monotonic()
            while events.next().comment is None:
                pass
            # Every 15 s; the shortest timeout on the way is one of 45 s.
            assert time.monotonic() - begun < 30


def numbers(stack: LocalStack) -> tuple[float, float]:
    return total(stack, "connections"), total(stack, "subscriptions")


@pytest.mark.parametrize("through", ["nginx", "sidecar"])
def test_who_leaves_a_stream_is_noticed_at_once(local_stack: LocalStack, topic: str, through: str) -> None:
    target = local_stack if through == "nginx" else replicas(local_stack)[0]
    wait_for_nobody(local_stack)
    for _ in range(5):
        with stream(target, topic) as events:
            events.expect("subscribed")
            assert numbers(local_stack) == (1, 1)
        wait_for_nobody(local_stack)
    # Gone before the first byte, too.
    with http(target) as client:  # type: ignore[arg-type]
        for _ in range(10):
            with pytest.raises(httpx.TimeoutException):
                client.get("/ws/events", params={"topic": topic}, timeout=0.001)
    wait_for_nobody(local_stack)


@pytest.mark.parametrize("through", ["nginx", "sidecar"])
def test_who_leaves_a_poll_is_noticed_at_once(local_stack: LocalStack, topic: str, through: str) -> None:
    target = local_stack if through == "nginx" else replicas(local_stack)[0]
    wait_for_nobody(local_stack)
    with http(target) as client, pytest.raises(httpx.TimeoutException):  # type: ignore[arg-type]
        client.get("/ws/poll", params={"topic": topic, "timeout": "20"}, timeout=0.5)
    wait_for_nobody(local_stack)


def wait_for_nobody(stack: LocalStack) -> None:
    """At once, and what a busy machine adds: who is only noticed by writing to it is there for up to 15 s."""
    wait_for(lambda: numbers(stack) == (0, 0), "nobody to be there", 8)


def test_a_poll_answers_at_once_when_there_is_something(stack: Stack, board: str, topic: str) -> None:
    notes = [post(stack, board, f"note {number}") for number in range(3)]
    begun = time.monotonic()
    answer = poll(stack, topic, 20, since="0-0")
    assert time.monotonic() - begun < 15
    assert [event["data"] for event in answer["events"]] == notes
    assert answer["recovered"] is True
    assert answer["cursor"] == answer["events"][-1]["id"]


def test_a_poll_waits_for_the_next_event(stack: Stack, board: str, topic: str) -> None:
    cursor = poll(stack, topic, 0)["cursor"]
    notes: list[dict[str, Any]] = []
    timer = threading.Timer(0.7, lambda: notes.append(post(stack, board, "now")))
    begun = time.monotonic()
    timer.start()
    answer = poll(stack, topic, 20, since=cursor)
    assert 0.7 <= time.monotonic() - begun < 15
    timer.join()
    assert [event["data"] for event in answer["events"]] == notes


def test_a_poll_without_news_ends_in_time_with_the_same_cursor(stack: Stack, board: str, topic: str) -> None:
    post(stack, board, "one")
    cursor = poll(stack, topic, 0)["cursor"]
    begun = time.monotonic()
    answer = poll(stack, topic, 1, since=cursor)
    # Not the 25 s that are usual.
    assert 0.9 < time.monotonic() - begun < 15
    assert answer == {"events": [], "cursor": cursor, "recovered": True}


def test_a_poll_that_cannot_be_continued_says_so(stack: Stack, board: str, topic: str) -> None:
    post(stack, board, "one")
    for since in ("feed-1", "0-5"):
        answer = poll(stack, topic, 20, since=since)
        assert answer["recovered"] is False
        assert answer["events"] == []
        assert answer["cursor"].endswith("-1")


@pytest.mark.parametrize(
    ("path", "query", "field"),
    [
        ("/ws/poll", {}, "topic"),
        ("/ws/poll", {"topic": ""}, "topic"),
        ("/ws/poll", {"topic": "a b"}, "topic"),
        ("/ws/poll", {"topic": "board:x", "since": "soon"}, "since"),
        ("/ws/poll", {"topic": "board:x", "timeout": "31"}, "timeout"),
        ("/ws/poll", {"topic": "board:x", "timeout": "-1"}, "timeout"),
        ("/ws/poll", {"topic": "board:x", "timeout": "nan"}, "timeout"),
        ("/ws/poll", {"topic": "board:x", "timeout": "x"}, "timeout"),
        ("/ws/events", {}, "topic"),
        ("/ws/events", {"topic": "*"}, "topic"),
        ("/ws/events", {"topic": "board:x", "since": "1"}, "since"),
    ],
)
def test_a_bad_question_is_a_problem_that_names_the_field(
    stack: Stack, path: str, query: dict[str, str], field: str
) -> None:
    with http(stack) as client:
        answer = client.get(path, params=query)
    assert answer.status_code == 422, answer.text
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert [error["field"] for error in answer.json()["errors"]] == [field]
    assert answer.json()["request_id"] == answer.headers["X-Request-Id"]


def test_all_three_ways_bring_the_same_events_in_the_same_order(
    local_stack: LocalStack, topic: str, publish: Publisher
) -> None:
    count = 400
    polled: list[dict[str, Any]] = []

    def keep_polling() -> None:
        cursor = "0-0"
        while len(polled) < count:
            answer = poll(local_stack, topic, 5, since=cursor)
            assert answer["recovered"] is True
            polled.extend(answer["events"])
            cursor = answer["cursor"]

    thread = threading.Thread(target=keep_polling)
    with (
        Socket(local_stack, topic=topic, since="0-0") as socket,
        stream(local_stack, topic, since="0-0") as events,
    ):
        thread.start()
        sent = [publish(topic, f"event {number}") for number in range(count)]
        over_socket = [socket.expect("event") for _ in range(count)]
        streamed = [events.expect("message").data for _ in range(count)]
        thread.join(60)
    assert [event["id"] for event in over_socket] == sent
    assert over_socket == streamed == polled


def test_a_poll_says_how_many_listen(stack: Stack, topic: str) -> None:
    def counted(client: httpx.Client) -> Any:
        answer = client.get("/ws/poll", params={"topic": topic, "timeout": "2"})
        return json.loads(answer.headers.get("x-presence", "null"))

    with Socket(stack, topic=topic), Socket(stack, topic=topic), http(stack) as client:
        wait_for(lambda: counted(client) == {"op": "presence", "topic": topic, "count": 3}, "three")
