"""Topics on which nothing happens are asked for all at once, and what is lost on one is still found."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from asgi_app import limits
from tests.harness.clients import Socket, wait_for
from tests.harness.local import LocalStack
from tests.harness.sidecar import UNSAID, Publisher, redis, running

TOPICS = [f"board:idle-{number}" for number in range(2 * limits.CONNECTION_TOPICS)]
LOOKS = 6


@pytest.fixture(scope="module")
def one_sidecar() -> Iterator[LocalStack]:
    with running({"ASGI_REPLICAS": "1"}) as stack:
        yield stack


@contextmanager
def listening(stack: LocalStack) -> Iterator[dict[str, Socket]]:
    """Sockets that listen to all the topics; by topic."""
    half = limits.CONNECTION_TOPICS
    with Socket(stack) as one, Socket(stack) as two:
        sockets = dict(zip(TOPICS, [one] * half + [two] * half, strict=True))
        for topic, socket in sockets.items():
            socket.send({"op": "subscribe", "topic": topic})
            assert socket.expect("subscribed")["topic"] == topic
        yield sockets


def calls(stack: LocalStack) -> dict[str, int]:
    """How often Redis has run each command."""
    found = redis(stack).info("commandstats")
    return {name.removeprefix("cmdstat_"): stats["calls"] for name, stats in found.items()}


def unsaid(stack: LocalStack, topic: str, cursor: str) -> None:
    """Stores the event after `cursor`, and its message is lost."""
    epoch, _, offset = cursor.partition("-")
    event = {
        "op": "event",
        "topic": topic,
        "id": f"{epoch}-{int(offset) + 1}",
        "type": "test",
        "data": "lost",
    }
    keys = f"stream:{{{topic}}}", f"topic:{{{topic}}}"
    redis(stack).eval(UNSAID, 2, *keys, str(int(offset) + 1), json.dumps(event, separators=(",", ":")))


def test_redis_is_asked_for_all_idle_topics_at_once(one_sidecar: LocalStack) -> None:
    with listening(one_sidecar):
        before = calls(one_sidecar)

        def looked() -> bool:
            return calls(one_sidecar).get("xread", 0) >= before.get("xread", 0) + LOOKS

        wait_for(looked, f"{LOOKS} looks at the topics", 60)
        asked = calls(one_sidecar)["hmget"] - before["hmget"]
        # Each look compares a thirtieth; one by one, it was all of them.
        assert asked < LOOKS * len(TOPICS) / 4


def test_a_lost_message_on_one_of_many_topics_is_found(one_sidecar: LocalStack) -> None:
    publish = Publisher(one_sidecar.state.app_env)
    with listening(one_sidecar) as sockets:
        for topic in TOPICS[:3]:
            cursor = publish(topic, "said")
            assert sockets[topic].expect("event")["data"] == "said"
            unsaid(one_sidecar, topic, cursor)
            assert sockets[topic].expect("event")["data"] == "lost"


def test_a_topic_that_is_lost_is_reported(one_sidecar: LocalStack) -> None:
    publish = Publisher(one_sidecar.state.app_env)
    topic = TOPICS[-1]
    with listening(one_sidecar) as sockets:
        publish(topic, "said")
        sockets[topic].expect("event")
        redis(one_sidecar).delete(f"topic:{{{topic}}}", f"stream:{{{topic}}}")
        answer = sockets[topic].expect("subscribed", 2 * limits.TICK_SECONDS * limits.COMPARE_TICKS / 4)
        assert answer == {"op": "subscribed", "topic": topic, "cursor": "0-0", "recovered": False}


@pytest.mark.parametrize("taken", ["-xread", "-exists"])
def test_a_redis_whose_users_are_of_before_is_asked_topic_by_topic(
    one_sidecar: LocalStack, taken: str
) -> None:
    server, publish = redis(one_sidecar), Publisher(one_sidecar.state.app_env)
    topic = TOPICS[5]
    server.execute_command("ACL", "SETUSER", "asgi", taken)
    try:
        with listening(one_sidecar) as sockets:
            cursor = publish(topic, "said")
            assert sockets[topic].expect("event")["data"] == "said"
            unsaid(one_sidecar, topic, cursor)
            assert sockets[topic].expect("event")["data"] == "lost"
    finally:
        server.execute_command("ACL", "SETUSER", "asgi", taken.replace("-", "+"))


def test_a_key_of_another_type_hides_nothing(one_sidecar: LocalStack) -> None:
    server, publish = redis(one_sidecar), Publisher(one_sidecar.state.app_env)
    with listening(one_sidecar) as sockets:
        server.set(f"stream:{{{TOPICS[7]}}}", "not a stream")
        try:
            cursor = publish(TOPICS[8], "said")
            assert sockets[TOPICS[8]].expect("event")["data"] == "said"
            unsaid(one_sidecar, TOPICS[8], cursor)
            assert sockets[TOPICS[8]].expect("event")["data"] == "lost"
        finally:
            server.delete(f"stream:{{{TOPICS[7]}}}")
