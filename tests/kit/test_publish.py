"""`publish`: an event goes out once, with a number of its own, or the caller is told that nobody knows."""

from __future__ import annotations

import json
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from flask import Flask
from redis.exceptions import RedisError

import corkboard
from corkboard import Event, publish, publish_many
from corkboard.publish import TooLate, now, send
from tests.harness.redis_server import RedisServer


def test_an_event_carries_what_was_published(server: RedisServer, topic: str) -> None:
    data = {"id": 1, "text": "größer", "tags": ["a", None, 1.5]}
    id_ = publish(topic, "order.shipped", data)
    (event,) = server.events(topic)
    assert (event["id"], event["topic"], event["type"], event["data"]) == (id_, topic, "order.shipped", data)
    assert event["time"].endswith("Z")
    assert id_ == corkboard.position(topic)


def test_the_offsets_of_a_topic_rise_by_one(server: RedisServer, topic: str) -> None:  # noqa: ARG001
    assert corkboard.position(topic) == "0-0"
    offsets = [int(publish(topic, "x").partition("-")[2]) for _ in range(5)]
    assert offsets == [1, 2, 3, 4, 5]


def test_many_topics_are_sent_in_one_round_trip(server: RedisServer, topic: str) -> None:
    publish(topic, "before")  # so that the functions are there
    admin = server.client()

    def calls() -> int:
        stats: Any = admin.info("commandstats")
        return int(stats["cmdstat_fcall"]["calls"])

    before = calls()
    ids = publish_many([(f"{topic}:{number}", "hello", number) for number in range(500)])
    assert calls() == before + 1
    assert len(ids) == 500
    assert all(server.events(f"{topic}:{number}")[0]["data"] == number for number in (0, 250, 499))


def test_more_events_than_fit_into_a_round_trip_stay_in_order(server: RedisServer, topic: str) -> None:
    ids = publish_many((topic, "hello", number) for number in range(1201))
    assert [event["data"] for event in server.events(topic)] == list(range(1201))
    assert [event["id"] for event in server.events(topic)] == ids


def test_a_repeat_with_the_same_key_sends_nothing(server: RedisServer, topic: str) -> None:
    first = publish(topic, "x", 1, key="order:1")
    assert publish(topic, "x", 2, key="order:1") == first
    assert publish(topic, "x", 3, key="order:2") != first
    assert [event["data"] for event in server.events(topic)] == [1, 3]


def test_a_key_repeats_also_within_one_call_and_never_across_topics(server: RedisServer, topic: str) -> None:
    events = [Event(topic, "x", 1, "k"), Event(topic, "x", 2, "k"), Event(f"{topic}:other", "x", 3, "k")]
    first, again, _ = publish_many(events)
    assert first == again
    assert len(server.events(topic)) == len(server.events(f"{topic}:other")) == 1


def test_repeats_at_the_same_moment_send_one_event(server: RedisServer, topic: str) -> None:
    with ThreadPoolExecutor(16) as pool:
        ids = set(pool.map(lambda number: publish(topic, "x", number, key="k"), range(64)))
    assert len(ids) == len(server.events(topic)) == 1


def test_a_key_survives_the_death_of_the_server(fragile_server: RedisServer, topic: str) -> None:
    first = publish(topic, "x", key="k")
    fragile_server.kill()
    fragile_server.start()
    assert _patiently(topic, key="k") == first


def test_a_key_is_forgotten_after_its_time_and_takes_no_memory_then(server: RedisServer, topic: str) -> None:
    events = [Event(topic, "x", None, "k")]
    (first,) = send(events, keep=1)
    assert send(events, keep=1) == [first]
    time.sleep(1.1)
    assert send(events, keep=1) != [first]
    time.sleep(1.1)
    deadline = time.monotonic() + 10
    while server.client().hlen(f"once:{{{topic}}}") and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not server.client().exists(f"once:{{{topic}}}")


def test_a_sender_that_stood_still_for_half_of_the_keys_time_sends_nothing(
    server: RedisServer, topic: str
) -> None:
    event = Event(topic, "x", None, "k")
    read_at = now()
    assert send([event], keep=60, read_at=read_at - 29)
    with pytest.raises(TooLate):
        send([Event(topic, "x", None, "another")], keep=60, read_at=read_at - 31)
    assert len(server.events(topic)) == 1


def test_the_time_is_that_of_redis(server: RedisServer) -> None:
    seconds, _ = server.client().time()  # type: ignore[misc]
    assert abs(now() - seconds) < 2


@pytest.mark.parametrize(
    "event",
    [
        Event("", "x"),
        Event("a b", "x"),
        Event("{a}", "x"),
        Event("ä", "x"),
        Event("a" * 129, "x"),
        Event(None, "x"),  # type: ignore[arg-type]
        Event("a", ""),
        Event("a", 7),  # type: ignore[arg-type]
        Event("a", "x", None, ""),
        Event("a", "x", None, 7),  # type: ignore[arg-type]
        Event("a", "x", None, "k" * 513),
        Event("a", "x", float("nan")),
        Event("a", "x", "\ud800"),
        Event("a", "\ud800"),
    ],
)
def test_what_is_no_event_is_a_value_error_and_nothing_is_sent(
    server: RedisServer, topic: str, event: Event
) -> None:
    with pytest.raises(ValueError):
        publish_many([(topic, "good"), event])
    assert server.events(topic) == []


def test_what_json_cannot_express_is_a_type_error(server: RedisServer, topic: str) -> None:
    with pytest.raises(TypeError):
        publish(topic, "x", object())
    assert server.events(topic) == []


def test_a_topic_keeps_as_many_events_as_it_is_told(
    server: RedisServer, topic: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CORKBOARD_HISTORY_LENGTH", "3")
    publish_many((topic, "x", number) for number in range(10))
    assert [event["data"] for event in server.events(topic)] == [7, 8, 9]


def test_the_request_id_is_that_of_the_running_flask_request(server: RedisServer, topic: str) -> None:
    app = Flask(__name__)

    @app.post("/")
    def view() -> str:
        return publish(topic, "x")

    client = app.test_client()
    for header in ("request-0001", "", "bad id", "short", "x" * 129):
        assert client.post("/", headers={"X-Request-Id": header}).status_code == 200
    assert [event["request_id"] for event in server.events(topic)] == ["request-0001", "", "", "", ""]


def test_the_request_id_is_the_one_that_a_middleware_has_set(server: RedisServer, topic: str) -> None:
    for given in ("request-0002", "not well-formed"):
        token = corkboard.request_id.set(given)
        publish(topic, "x")
        corkboard.request_id.reset(token)
    publish(topic, "x")
    assert [event["request_id"] for event in server.events(topic)] == ["request-0002", "", ""]


def test_off_sends_nothing_and_needs_no_server(
    server: RedisServer, topic: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CORKBOARD_URL", "off")
    epoch, _, offset = publish(topic, "x", {"a": 1}).partition("-")
    assert (int(epoch, 16), int(offset)) == (0, 0)
    assert publish_many([(topic, "x"), (topic, "y")]) == ["0-0", "0-0"]
    assert corkboard.position(topic) == "0-0"
    corkboard.revoke("somebody")
    assert server.events(topic) == []
    with pytest.raises(ValueError):
        publish("no topic", "x")


def test_a_revocation_is_kept_as_long_as_a_ticket_can_live(
    server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CORKBOARD_TICKET_SECONDS", "100")
    admin = server.client()
    admin.zadd("revoked:{control}", {"older": time.time() - 101, "younger": time.time() - 99})
    listening = admin.pubsub()
    listening.subscribe("control")
    listening.get_message(timeout=5)
    corkboard.revoke("somebody")
    message = listening.get_message(timeout=5)
    assert message
    assert message["data"] == b"somebody"
    found: Any = admin.zrange("revoked:{control}", 0, -1)
    assert found == [b"younger", b"somebody"]
    with pytest.raises(ValueError):
        corkboard.revoke("")


def test_the_app_may_do_no_more_than_publish(server: RedisServer, topic: str) -> None:
    publish(topic, "x", key="k")  # all that a publish needs is allowed
    app = server.client("app")
    for words in (["KEYS", "*"], ["FLUSHALL"], ["CONFIG", "GET", "*"], ["SET", "other", "1"]):
        with pytest.raises(RedisError, match="permissions"):
            app.execute_command(*words)


def test_functions_that_a_server_has_lost_are_loaded_again(server: RedisServer, topic: str) -> None:
    publish(topic, "x")
    server.client().function_flush()
    publish(topic, "x")
    assert len(server.events(topic)) == 2


def test_every_value_that_json_has_arrives_unchanged(server: RedisServer, topic: str) -> None:
    values: list[Any] = [None, True, 0, -1.5, 2**53, "", 'a"\\/\n\u2028', [], {}, {"a": {"b": [1]}}, "\0"]
    publish_many((topic, "x", value) for value in values)
    assert json.dumps([event["data"] for event in server.events(topic)]) == json.dumps(values)


def _patiently(topic: str, key: str | None = None) -> str:
    deadline = time.monotonic() + 30
    while True:
        try:
            return publish(topic, "x", key=key)
        except corkboard.StoreUnavailable:
            assert time.monotonic() < deadline
            time.sleep(0.1)
