"""Every event reaches every subscriber once, in order, from `since` on."""

from __future__ import annotations

import threading
from contextlib import ExitStack
from typing import Any

import pytest

from tests.harness.clients import Socket, http
from tests.harness.sidecar import UNSAID
from tests.harness.stack import Stack


def post(stack: Stack, board: str, text: str, **headers: str) -> dict[str, Any]:
    with http(stack) as client:
        answer = client.post("/api/notes", json={"board": board, "text": text}, headers=headers)
        assert answer.status_code == 201, answer.text
        note: dict[str, Any] = answer.json()
        return note


def test_a_note_arrives_at_every_subscriber_on_every_replica(stack: Stack, board: str) -> None:
    with ExitStack() as sockets:
        # The connections are spread over the replicas by least_conn.
        subscribers = [sockets.enter_context(Socket(stack, topic=f"board:{board}")) for _ in range(6)]
        for socket in subscribers:
            assert socket.expect("subscribed")["recovered"] is True
        note = post(stack, board, "hello", **{"X-Request-Id": "delivery-test-1"})
        for socket in subscribers:
            event = socket.expect("event")
            assert event["topic"] == f"board:{board}"
            assert event["type"] == "note.created"
            assert event["data"] == note
            assert event["request_id"] == "delivery-test-1"
            assert event["id"].endswith("-1")


def test_a_client_that_comes_back_with_its_last_id_has_missed_nothing(stack: Stack, board: str) -> None:
    with Socket(stack, topic=f"board:{board}") as socket:
        socket.expect("subscribed")
        post(stack, board, "one")
        last = socket.expect("event")["id"]
    notes = [post(stack, board, f"away {number}") for number in range(5)]
    with Socket(stack, topic=f"board:{board}", since=last) as socket:
        assert socket.expect("subscribed") == {
            "op": "subscribed",
            "topic": f"board:{board}",
            "cursor": last,
            "recovered": True,
        }
        assert [socket.expect("event")["data"] for _ in notes] == notes


@pytest.mark.parametrize("query", [{"limit": 200}, {"shared": 1}], ids=["exact", "shared"])
def test_a_list_and_a_subscription_from_its_cursor_miss_and_repeat_nothing(
    stack: Stack, board: str, query: dict[str, int]
) -> None:
    written: list[str] = []
    stop = threading.Event()

    def write() -> None:
        while not stop.is_set():
            written.append(post(stack, board, f"note {len(written)}")["id"])

    seen: list[tuple[list[str], bool]] = []
    writer = threading.Thread(target=write)
    writer.start()
    try:
        with http(stack) as client:
            for _ in range(5):
                listed = client.get("/api/notes", params={"board": board, **query}).json()
                known = [note["id"] for note in listed["notes"]][::-1]
                with Socket(stack, topic=f"board:{board}", since=listed["cursor"]) as socket:
                    assert socket.expect("subscribed")["recovered"] is True
                    known += [socket.expect("event")["data"]["id"] for _ in range(3)]
                # A slow list meets a quick writer: then it holds the newest ones only, and says so.
                seen.append((known, listed["next"] is None))
    finally:
        stop.set()
        writer.join()
    for known, is_all in seen:
        first = written.index(known[0])
        assert known == written[first : first + len(known)]
        assert first == 0 or not is_all


def test_offsets_rise_by_exactly_one_also_with_many_writers(stack: Stack, board: str) -> None:
    with Socket(stack, topic=f"board:{board}") as socket:
        socket.expect("subscribed")
        writers = [
            threading.Thread(target=lambda: [post(stack, board, "x") for _ in range(10)]) for _ in range(4)
        ]
        for writer in writers:
            writer.start()
        offsets = [int(socket.expect("event")["id"].partition("-")[2]) for _ in range(40)]
        for writer in writers:
            writer.join()
    assert offsets == list(range(1, 41))


def test_one_connection_carries_many_topics(stack: Stack, board: str) -> None:
    other = f"{board}-b"
    with Socket(stack) as socket:
        for name in (board, other):
            socket.send({"op": "subscribe", "topic": f"board:{name}"})
            assert socket.expect("subscribed")["topic"] == f"board:{name}"
        post(stack, other, "b")
        assert socket.expect("event")["topic"] == f"board:{other}"
        socket.send({"op": "unsubscribe", "topic": f"board:{other}"})
        socket.send({"op": "ping"})
        socket.expect("pong")
        post(stack, other, "not for us")
        post(stack, board, "a")
        assert socket.expect("event")["data"]["text"] == "a"


def test_a_cursor_that_cannot_be_continued_is_said_to_be_lost(stack: Stack, board: str) -> None:
    post(stack, board, "one")
    for since in ("feed-1", "0-5"):
        with Socket(stack, topic=f"board:{board}", since=since) as socket:
            begun = socket.expect("subscribed")
            assert begun["recovered"] is False
            assert begun["cursor"].endswith("-1")
            post(stack, board, "two")
            assert socket.expect("event")["data"]["text"] == "two"
        stack.redis_cli("DEL", f"topic:{{board:{board}}}", f"stream:{{board:{board}}}")
        post(stack, board, "one")


def test_lost_data_is_said_on_a_living_connection(stack: Stack, board: str) -> None:
    post(stack, board, "one")
    with Socket(stack, topic=f"board:{board}") as socket:
        assert socket.expect("subscribed")["recovered"] is True
        stack.redis_cli("DEL", f"topic:{{board:{board}}}", f"stream:{{board:{board}}}")
        assert socket.expect("subscribed")["recovered"] is False


def test_a_message_that_redis_never_published_is_read_from_the_stream(stack: Stack, board: str) -> None:
    topic = f"board:{board}"
    post(stack, board, "one")
    with Socket(stack, topic=topic) as socket:
        epoch = socket.expect("subscribed")["cursor"].partition("-")[0]
        # What a lost pub/sub message leaves behind: the event is in the stream, and nobody was told.
        event = f'{{"op":"event","topic":"{topic}","id":"{epoch}-2","type":"test","data":1}}'
        stack.redis_cli("EVAL", UNSAID, "2", f"stream:{{{topic}}}", f"topic:{{{topic}}}", "2", event)
        assert socket.expect("event")["id"] == f"{epoch}-2"
        post(stack, board, "three")
        assert socket.expect("event")["id"] == f"{epoch}-3"


@pytest.mark.parametrize(
    "message",
    [
        "x",
        "[]",
        "{}",
        '{"op":"shout"}',
        '{"op":"subscribe"}',
        '{"op":"subscribe","topic":"board:main","x":1}',
        '{"op":"subscribe","topic":"a b"}',
        '{"op":"subscribe","topic":"board:main","since":"soon"}',
    ],
)
def test_a_bad_message_is_answered_and_the_connection_stays(stack: Stack, message: str) -> None:
    with Socket(stack) as socket:
        socket.connection.send(message)
        error = socket.expect("error")
        assert error["code"] == "bad_message"
        assert error["detail"]
        socket.send({"op": "ping"})
        assert socket.expect("pong") == {"op": "pong"}


@pytest.mark.parametrize(
    ("topic", "echo"),
    [
        ('"grüße"', "grüße"),
        ('"a b"', "a b"),
        ('""', ""),
        (f'"{"x" * 256}"', "x" * 256),
        (f'"{"x" * 257}"', None),
        (r'"\ud800"', None),
        (r'"\u0000"', None),
        ('["board:main"]', None),
        ("[" * 20_000, None),
    ],
)
def test_a_bad_subscribe_is_told_with_its_topic(stack: Stack, topic: str, echo: str | None) -> None:
    with Socket(stack) as socket:
        socket.connection.send(f'{{"op":"subscribe","topic":{topic}}}')
        assert socket.expect("error").get("topic") == echo
        socket.send({"op": "ping"})
        socket.expect("pong")


def test_only_a_subscribe_is_refused_with_a_topic(stack: Stack) -> None:
    with Socket(stack) as socket:
        socket.connection.send('{"op":"unsubscribe","topic":"a b"}')
        assert "topic" not in socket.expect("error")
