"""A real Prometheus watches a stack on which all that may happen does: no panel of the dashboard is empty."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack

import httpx
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus

from asgi_app import limits
from tests.harness.clients import Socket, frozen_redis, http, wait_for
from tests.harness.local import LocalStack
from tests.harness.prometheus import Prometheus, missing, queries
from tests.harness.sidecar import PING, UNSAID, Publisher, RawSocket, frame, redis, replicas, running

PLACES = 15


@pytest.fixture(scope="module")
def watched() -> Iterator[LocalStack]:
    if reason := missing("prometheus"):
        pytest.skip(reason)
    with running({"MAX_SOCKETS_PER_CLIENT": str(PLACES), "DRAIN_SECONDS": "1"}) as stack:
        yield stack


@pytest.fixture(scope="module")
def prometheus(watched: LocalStack) -> Iterator[Prometheus]:
    with Prometheus(watched) as server:
        wait_for(lambda: server.is_up("corkboard-sidecar", 2), "both sidecars to be found")
        wait_for(lambda: server.is_up("corkboard-demo", 1), "the demo to be found")
        yield server


@pytest.fixture(scope="module")
def times(watched: LocalStack, prometheus: Prometheus) -> tuple[float, float]:
    """When everything happened: from, to."""
    begun = time.time()
    publish = Publisher(watched.state.app_env)
    with ExitStack() as stack, http(watched) as client:
        sockets = [stack.enter_context(Socket(watched, topic="board:main")) for _ in range(4)]
        for number in range(40):
            assert client.post("/api/notes", json={"text": f"note {number}"}).status_code == 201
        _late(watched, publish, sockets)
        _unsaid(watched, publish)
        _lost(watched)
        _refused(watched)
        _closed(watched)
        _flooded(watched)
        _failing(watched, client)
    at = time.time()
    wait_for(lambda: "CorkboardClientsMissedEvents" in _firing(prometheus), "the alert")
    # The last thing that happened is seen by two more looks.
    wait_for(lambda: time.time() > at + 3, "Prometheus to look again")
    return begun, time.time()


def _late(watched: LocalStack, publish: Publisher, sockets: list[Socket]) -> None:
    sidecars = [replica.process() for replica in replicas(watched)]
    for process in sidecars:
        process.suspend()
    try:
        publish("board:main", "late")
        time.sleep(2.2)
    finally:
        for process in sidecars:
            process.resume()
    for socket in sockets:
        while socket.expect("event")["data"] != "late":
            pass


def _unsaid(watched: LocalStack, publish: Publisher) -> None:
    first = publish("board:unsaid", "one")
    with Socket(watched, topic="board:unsaid") as socket:
        socket.expect("subscribed")
        event = f'{{"op":"event","topic":"board:unsaid","id":"{first[:-1]}2","type":"test","data":1}}'
        redis(watched).eval(UNSAID, 2, "stream:{board:unsaid}", "topic:{board:unsaid}", "2", event)
        socket.expect("event")


def _lost(watched: LocalStack) -> None:
    for _ in range(2 * PLACES):
        with Socket(watched, topic="board:main", since="feed-1") as socket:
            assert socket.expect("subscribed")["recovered"] is False


def _refused(watched: LocalStack) -> None:
    replica = replicas(watched)[0]
    with ExitStack() as stack:
        # Others of this test may be on their way out, or still here.
        while replica.number("connections") < PLACES:
            stack.enter_context(Socket(replica))  # type: ignore[arg-type]
        with pytest.raises(InvalidStatus):
            Socket(replica)  # type: ignore[arg-type]


def _closed(watched: LocalStack) -> None:
    with Socket(watched) as socket:
        socket.connection.send(b"no text")
        with pytest.raises(ConnectionClosed):
            socket.expect("never")


def _flooded(watched: LocalStack) -> None:
    with RawSocket(watched.base_url) as socket:
        socket.send(frame(PING) * (limits.FRAMES_PER_SECOND + 50))
        assert socket.code() == 1008


def _failing(watched: LocalStack, client: httpx.Client) -> None:
    with frozen_redis(watched):
        assert client.post("/api/notes", json={"text": "refused"}).status_code == 503
        # A second refusal is a rise of a counter that begins with the first.
        wait_for(lambda: time.time() % 1 < 0.1, "Prometheus to look")
        time.sleep(1.2)
        assert client.post("/api/notes", json={"text": "refused"}).status_code == 503


def _firing(prometheus: Prometheus) -> set[str]:
    return {
        alert["labels"]["alertname"]
        for alert in prometheus.ask("alerts")["alerts"]
        if alert["state"] == "firing"
    }


@pytest.mark.parametrize("number", range(len(list(queries()))), ids=lambda number: list(queries())[number][0])
def test_a_panel_shows_what_happened(prometheus: Prometheus, times: tuple[float, float], number: int) -> None:
    title, query = list(queries())[number]
    assert prometheus.highest(query, *times) is not None, f"{title} is empty: {query}"
    most = max(prometheus.highest(one, *times) or 0 for name, one in queries() if name == title)
    assert most > 0, f"nothing moves in {title}"


@pytest.mark.usefixtures("times")
def test_every_rule_can_be_evaluated(prometheus: Prometheus) -> None:
    rules = [rule for group in prometheus.ask("rules")["groups"] for rule in group["rules"]]
    assert rules
    assert {rule["name"]: rule.get("lastError") for rule in rules if rule["health"] != "ok"} == {}


def test_a_sidecar_more_is_watched_as_well(watched: LocalStack, prometheus: Prometheus) -> None:
    watched.scale("asgi", 3)
    try:
        wait_for(lambda: prometheus.is_up("corkboard-sidecar", 3), "the third one to be found")
    finally:
        watched.scale("asgi", 2)
    wait_for(lambda: prometheus.is_up("corkboard-sidecar", 2), "it to be forgotten")
