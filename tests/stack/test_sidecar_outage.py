"""Clients are told when events cannot arrive, and when they do again, whatever happens to Redis."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from websockets.exceptions import InvalidStatus

from asgi_app import limits
from asgi_app.asyncapi import TO_CLIENT
from tests.harness.cable import Cable
from tests.harness.clients import Socket, http
from tests.harness.lone import LoneSidecar
from tests.harness.redis_server import RedisServer
from tests.harness.sidecar import Publisher
from tests.stack.test_sidecar_asyncapi import validator

# About five seconds, on a machine that does nothing else.
SOON = 15.0
WAYS = pytest.mark.parametrize(
    ("end", "mend"),
    [(RedisServer.freeze, RedisServer.thaw), (RedisServer.kill, RedisServer.start)],
    ids=["frozen", "killed"],
)
Change = Callable[[RedisServer], None]


@pytest.fixture(scope="module")
def cable(server: RedisServer) -> Iterator[Cable]:
    """The way to Redis."""
    with Cable(f"http://127.0.0.1:{server.port}") as whole:
        yield whole


@pytest.fixture(scope="module")
def process(server: RedisServer, cable: Cable) -> Iterator[LoneSidecar]:
    with LoneSidecar(server, int(cable.base_url.rpartition(":")[2])) as running:
        yield running


@pytest.fixture
def sidecar(process: LoneSidecar) -> LoneSidecar:
    process.wait_until_ready()
    return process


@WAYS
def test_everybody_is_told_when_events_cannot_arrive_and_when_they_do_again(
    sidecar: LoneSidecar, server: RedisServer, end: Change, mend: Change, board: str
) -> None:
    with Socket(sidecar, topic=f"board:{board}") as one, Socket(sidecar) as other:  # type: ignore[arg-type]
        one.expect("subscribed")
        begun = datetime.now(UTC)
        end(server)
        try:
            behind = one.expect("behind", SOON)
            assert other.receive(SOON) == behind
        finally:
            mend(server)
        assert one.expect("current") == other.receive() == {"op": "current"}
    validator(TO_CLIENT).validate(behind)
    # The last sign of life is the answer to a ping.
    since = datetime.fromisoformat(behind["since"])
    assert begun - timedelta(seconds=2 * limits.TICK_SECONDS) < since < begun + timedelta(seconds=1)


def test_all_is_well_only_after_what_was_missed(
    sidecar: LoneSidecar, server: RedisServer, cable: Cable, board: str
) -> None:
    publish, topics = Publisher(server.app_env), [f"board:{board}-{number}" for number in range(20)]
    with Socket(sidecar) as socket:  # type: ignore[arg-type]
        for topic in topics:
            socket.send({"op": "subscribe", "topic": topic})
            assert socket.expect("subscribed")["topic"] == topic
        cable.cut()
        try:
            socket.expect("behind", SOON)
            missed = {publish(topic, number) for topic in topics for number in range(3)}
        finally:
            cable.mend()
        heard = list(until_current(socket))
        assert {message["id"] for message in heard if message["op"] == "event"} == missed
        assert not [message for message in heard if message["op"] == "behind"]


def until_current(socket: Socket) -> Iterator[dict[str, Any]]:
    while (message := socket.receive())["op"] != "current":
        yield message


def test_a_connection_that_comes_back_at_once_is_not_worth_a_word(
    sidecar: LoneSidecar, cable: Cable, server: RedisServer, board: str
) -> None:
    publish, topic = Publisher(server.app_env), f"board:{board}"
    with Socket(sidecar, topic=topic) as socket:  # type: ignore[arg-type]
        socket.expect("subscribed")
        said = []
        for number in range(5):
            cable.cut()
            cable.mend()
            publish(topic, number)
            while (message := socket.receive())["op"] != "event":
                said.append(message["op"])
            assert message["data"] == number
        assert not {"behind", "current"} & set(said)


def test_a_stream_is_told_too_and_a_poll_says_it_when_it_ends(
    sidecar: LoneSidecar, server: RedisServer, board: str
) -> None:
    topic = {"topic": f"board:{board}"}
    with (
        ThreadPoolExecutor(1) as pool,
        http(sidecar) as client,  # type: ignore[arg-type]
        client.stream("GET", "/ws/events", params=topic) as stream,
    ):
        lines = stream.iter_lines()
        assert "event: subscribed" in lines
        polling = pool.submit(client.get, "/ws/poll", params={**topic, "timeout": "10"})
        # It is counted, so the poll is there.
        assert any('"count":2' in line for line in lines)
        server.freeze()
        try:
            assert "event: behind" in lines
            behind = json.loads(next(lines).removeprefix("data: "))
            assert behind["op"] == "behind"
            answer = polling.result()
        finally:
            server.thaw()
        assert answer.json()["events"] == []
        assert json.loads(answer.headers["X-Behind"]) == behind
        assert "event: current" in lines
        assert next(lines) == 'data: {"op":"current"}'
        answer = client.get("/ws/poll", params={**topic, "timeout": "0"}).raise_for_status()
        assert "X-Behind" not in answer.headers


@pytest.mark.parametrize("writer", ["direct", "plain"])
def test_who_comes_meanwhile_is_told_first(server: RedisServer, board: str, writer: str) -> None:
    with LoneSidecar(server, WEBSOCKET_WRITER=writer) as sidecar, Socket(sidecar) as socket:  # type: ignore[arg-type]
        heard: list[Any] = []
        while not heard:
            sidecar.wait_until_ready()
            server.freeze()
            try:
                behind = socket.expect("behind", SOON)
                heard = newcomers(sidecar, f"board:{board}")
            except (InvalidStatus, httpx.HTTPStatusError):
                pass  # a busy machine: by now nobody is let in any more
            finally:
                server.thaw()
            socket.expect("current")
        assert heard == [behind, ["event: behind", f"data: {json.dumps(behind, separators=(',', ':'))}"]]


def newcomers(sidecar: LoneSidecar, topic: str) -> list[Any]:
    """The first words to a socket and to a stream."""
    with (
        Socket(sidecar, topic=topic) as socket,  # type: ignore[arg-type]
        http(sidecar) as client,  # type: ignore[arg-type]
        client.stream("GET", "/ws/events", params={"topic": topic}) as stream,
    ):
        lines = stream.raise_for_status().iter_lines()
        return [socket.receive(), [next(lines), next(lines)]]
