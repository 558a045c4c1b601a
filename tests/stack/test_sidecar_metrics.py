"""The numbers of /metrics move as things happen."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus

from asgi_app.redis_numbers import NUMBERS
from tests.harness.clients import Socket, frozen_redis, http, wait_for
from tests.harness.local import LocalStack
from tests.harness.sidecar import TEXT, UNSAID, Publisher, RawSocket, Replica, frame, redis, replicas


class Change:
    """How a number differs from what it was."""

    def __init__(self, replica: Replica) -> None:
        self._replica = replica
        self._before = replica.numbers()

    def __call__(self, name: str) -> float:
        return self._replica.number(name) - self._before.get(f"corkboard_{name}", 0)

    def becomes(self, name: str, value: float) -> None:
        wait_for(lambda: self(name) == value, f"{name} to change by {value}, it is {self(name)}")


@pytest.fixture
def replica(local_stack: LocalStack) -> Replica:
    return replicas(local_stack)[0]


@pytest.fixture
def change(replica: Replica) -> Change:
    return Change(replica)


@pytest.fixture(scope="module")
def publish(local_stack: LocalStack) -> Publisher:
    return Publisher(local_stack.state.app_env)


def test_connections_and_subscriptions_are_counted_up_and_down(replica: Replica, board: str) -> None:
    # Clients of other tests may be on their way out.
    wait_for(lambda: replica.number("connections") == replica.number("subscriptions") == 0, "an empty room")
    change = Change(replica)
    with Socket(replica, topic=f"board:{board}") as socket:  # type: ignore[arg-type]
        socket.expect("subscribed")
        socket.send({"op": "subscribe", "topic": f"board:{board}-2"})
        socket.expect("subscribed")
        change.becomes("connections", 1)
        change.becomes("subscriptions", 2)
        socket.send({"op": "unsubscribe", "topic": f"board:{board}-2"})
        socket.send({"op": "unsubscribe", "topic": f"board:{board}-2"})
        change.becomes("subscriptions", 1)
    change.becomes("connections", 0)
    change.becomes("subscriptions", 0)


def test_handshakes_are_counted_by_outcome(replica: Replica, change: Change) -> None:
    for _ in range(2):
        Socket(replica).close()  # type: ignore[arg-type]
    with pytest.raises(InvalidStatus):
        Socket(replica, topic="user:x")  # type: ignore[arg-type]
    with http(replica) as client:  # type: ignore[arg-type]
        client.get("/ws/poll", params={"topic": "board:x", "timeout": "0"})
        client.get("/ws/events", params={"topic": "board:x"}, headers={"Origin": "https://evil"})
    change.becomes('handshakes_total{outcome="accepted",path="/ws"}', 2)
    change.becomes('handshakes_total{outcome="401",path="/ws"}', 1)
    change.becomes('handshakes_total{outcome="accepted",path="/ws/poll"}', 1)
    change.becomes('handshakes_total{outcome="403",path="/ws/events"}', 1)


def test_deliveries_and_their_delay_are_counted(
    replica: Replica, change: Change, board: str, publish: Publisher
) -> None:
    topic = f"board:{board}"
    with Socket(replica, topic=topic) as one, Socket(replica, topic=topic) as two:  # type: ignore[arg-type]
        for socket in (one, two):
            socket.expect("subscribed")
        for number in range(3):
            publish(topic, number)
            for socket in (one, two):
                socket.expect("event")
    change.becomes("deliveries_total", 6)
    assert change("events_total") == 3
    assert change("delivery_seconds_count") == 3
    assert 0 <= change("delivery_seconds_sum") < 60  # seconds, not milliseconds


def test_an_event_that_waited_is_counted_with_the_time_that_it_waited(
    replica: Replica, change: Change, board: str, publish: Publisher
) -> None:
    with Socket(replica, topic=f"board:{board}") as socket:  # type: ignore[arg-type]
        socket.expect("subscribed")
        replica.process().suspend()
        try:
            publish(f"board:{board}", "early")
            time.sleep(1.1)
            publish(f"board:{board}", "late")
        finally:
            replica.process().resume()
        socket.expect("event")
        socket.expect("event")
    change.becomes("events_total", 2)
    assert change('delivery_seconds_bucket{le="1.0"}') < change("delivery_seconds_count")
    assert change("clock_ahead_total") == 0


def test_a_publisher_whose_clock_is_ahead_is_counted(
    local_stack: LocalStack, replica: Replica, change: Change, board: str
) -> None:
    topic = f"board:{board}"
    with Socket(replica, topic=topic) as socket:  # type: ignore[arg-type]
        socket.expect("subscribed")
        event = (
            f'{{"op":"event","topic":"{topic}","id":"feed-1","type":"test","time":"2999-01-01T00:00:00Z"}}'
        )
        redis(local_stack).publish(f"event:{{{topic}}}", f"feed-1 {event}")
        socket.expect("event")
    change.becomes("clock_ahead_total", 1)
    assert change("delivery_seconds_sum") == 0


def test_gaps_and_recoveries_are_counted(
    local_stack: LocalStack, replica: Replica, change: Change, board: str, publish: Publisher
) -> None:
    topic = f"board:{board}"
    first = publish(topic, "one")
    with Socket(replica, topic=topic, since=first) as socket:  # type: ignore[arg-type]
        socket.expect("subscribed")
        change.becomes('recoveries_total{outcome="recovered"}', 1)
        event = f'{{"op":"event","topic":"{topic}","id":"{first[:-1]}2","type":"test","data":1}}'
        redis(local_stack).eval(UNSAID, 2, f"stream:{{{topic}}}", f"topic:{{{topic}}}", "2", event)
        assert socket.expect("event")["id"].endswith("-2")
        change.becomes("gaps_filled_total", 1)
    with Socket(replica, topic=topic, since="feed-1") as socket:  # type: ignore[arg-type]
        assert socket.expect("subscribed")["recovered"] is False
        change.becomes('recoveries_total{outcome="lost"}', 1)


def test_closings_are_counted_once_by_code(replica: Replica, change: Change) -> None:
    with RawSocket(replica.base_url) as flood:
        flood.send(frame(TEXT, b'{"op":"ping"}') * 300)
        assert flood.code() == 1008
    with Socket(replica) as binary:  # type: ignore[arg-type]
        binary.connection.send(b"x")
        with pytest.raises(ConnectionClosed):
            binary.expect("never")
    change.becomes('evictions_total{code="1008"}', 1)
    change.becomes('evictions_total{code="1003"}', 1)


def test_the_reader_and_the_loop_say_how_they_are(
    local_stack: LocalStack, replica: Replica, change: Change
) -> None:
    wait_for(lambda: 0 <= replica.number("reader_silence_seconds") < 6, "a reader that hears something")
    wait_for(lambda: change("loop_lag_seconds_count") >= 2, "the loop's lag")
    wait_for(lambda: change("reader_answer_seconds_count") >= 2, "the answers to pings")
    assert 0 < change("reader_answer_seconds_sum") < 60
    assert replica.number("ready") == 1
    redis(local_stack).execute_command("CLIENT", "KILL", "TYPE", "pubsub")
    change.becomes("reader_sessions_total", 1)


def test_the_numbers_of_redis_are_those_of_redis(local_stack: LocalStack, replica: Replica) -> None:
    server = redis(local_stack)
    numbers = {number.name for number in NUMBERS} & replica.numbers().keys()
    assert numbers == {number.name for number in NUMBERS}
    assert replica.number("redis_memory_limit_bytes") == int(server.config_get("maxmemory")["maxmemory"])
    used = replica.number("redis_memory_bytes") / replica.number("redis_memory_limit_bytes")
    assert replica.number("redis_filled_ratio") == pytest.approx(used, rel=0.5)
    assert replica.number("redis_clients") == server.info("clients")["connected_clients"]
    assert replica.number("redis_log_ok") == 1
    before = replica.number("redis_commands_total")
    server.ping()
    assert replica.number("redis_commands_total") > before


def test_without_the_right_to_ask_there_is_everything_but_the_numbers_of_redis(
    local_stack: LocalStack, replica: Replica
) -> None:
    server = redis(local_stack)
    server.execute_command("ACL", "SETUSER", "asgi", "-info")
    try:
        assert "corkboard_redis_memory_bytes" not in replica.numbers()
        assert replica.number("ready") == 1
        assert "users.acl" in local_stack.logs(replica.name)
    finally:
        server.execute_command("ACL", "SETUSER", "asgi", "+info")
    assert replica.number("redis_memory_bytes") > 0


def test_the_silence_of_redis_grows_as_long_as_it_lasts(local_stack: LocalStack, replica: Replica) -> None:
    with frozen_redis(local_stack):
        # The reader gives its connection up after six seconds to eight and a half, and tries anew.
        wait_for(lambda: replica.number("reader_silence_seconds") > 12, "the silence to be told")
        assert replica.number("ready") == 0
        assert "corkboard_redis_memory_bytes" not in replica.numbers()
    wait_for(lambda: replica.number("reader_silence_seconds") < 6, "a reader that hears something")


def test_polls_are_counted_as_subscriptions_and_recoveries(
    replica: Replica, board: str, publish: Publisher
) -> None:
    wait_for(lambda: replica.number("connections") == replica.number("subscriptions") == 0, "an empty room")
    change, topic = Change(replica), f"board:{board}"
    first = publish(topic, "one")

    def poll(since: str, seconds: int) -> httpx.Response:
        with http(replica) as client:  # type: ignore[arg-type]
            return client.get("/ws/poll", params={"topic": topic, "since": since, "timeout": str(seconds)})

    assert poll("0-0", 20).json()["cursor"] == first
    change.becomes('recoveries_total{outcome="recovered"}', 1)
    assert poll("feed-1", 20).json()["recovered"] is False
    change.becomes('recoveries_total{outcome="lost"}', 1)
    with ThreadPoolExecutor() as pool:
        waiting = pool.submit(poll, first, 30)
        change.becomes("subscriptions", 1)
        second = publish(topic, "two")
        assert waiting.result().json()["cursor"] == second
    change.becomes("subscriptions", 0)


def test_nginx_does_not_pass_them_on(local_stack: LocalStack) -> None:
    with http(local_stack) as client:
        assert client.get("/metrics").status_code == 404
