"""What clients whisper to each other reaches the others on the topic, is not kept, and harms nobody."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from redis.exceptions import NoPermissionError

from asgi_app import limits
from asgi_app.topics import keys
from tests.harness.clients import Socket, http
from tests.harness.lone import LoneSidecar
from tests.harness.redis_server import RedisServer
from tests.harness.sidecar import TEXT, Publisher, RawSocket

PUBLIC = {"PUBLIC_TOPICS": "board:*,news", "WHISPER_TOPICS": "board:*"}


@pytest.fixture(scope="module")
def one(server: RedisServer) -> Iterator[LoneSidecar]:
    with LoneSidecar(server, **PUBLIC) as running:
        yield running


@pytest.fixture(scope="module", params=["direct", "plain"])
def two(server: RedisServer, request: pytest.FixtureRequest) -> Iterator[LoneSidecar]:
    with LoneSidecar(server, WEBSOCKET_WRITER=request.param, **PUBLIC) as running:
        yield running


@pytest.fixture
def topic(board: str) -> str:
    return f"board:{board}"


def follower(sidecar: LoneSidecar, topic: str) -> Socket:
    """A socket that hears what is whispered on the topic."""
    socket = Socket(sidecar, topic=topic)  # type: ignore[arg-type]
    socket.expect("subscribed")
    return socket


def whisper(topic: str, data: Any) -> dict[str, Any]:
    return {"op": "whisper", "topic": topic, "data": data}


def whisper_until_heard(speaker: Socket, hearer: Socket, topic: str) -> None:
    """The process of the hearer subscribes to the channel a moment after `subscribed`."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        speaker.send(whisper(topic, "test"))
        try:
            hearer.expect("whisper", 0.5)
        except TimeoutError:
            continue
        return
    raise AssertionError("nobody hears it")


def heard(socket: Socket, data: Any) -> str:
    """By whom this is whispered, after whatever was said to find out who hears."""
    while (message := socket.expect("whisper"))["data"] == "test":
        pass
    assert message["data"] == data
    return str(message["from"])


def test_the_others_on_the_topic_hear_it_in_all_processes(
    one: LoneSidecar, two: LoneSidecar, server: RedisServer, topic: str
) -> None:
    data = {"at": [1, 2.5, None], "text": "übrigens"}
    with (
        follower(one, topic) as speaker,
        follower(one, topic) as near,
        follower(two, topic) as far,
        follower(two, f"{topic}-other") as elsewhere,
    ):
        whisper_until_heard(speaker, far, topic)
        whisper_until_heard(far, speaker, topic)
        ids = []
        for one_speaks, others in ((speaker, (near, far)), (far, (speaker, near)), (near, (far, speaker))):
            one_speaks.send(whisper(topic, data))
            # Nobody hears themselves: what they hear next is what the next one says.
            by, same = (heard(other, data) for other in others)
            assert by == same
            ids.append(by)
        assert len(set(ids)) == 3
        with pytest.raises(TimeoutError):
            elsewhere.expect("whisper", 0.5)
    assert not server.client().exists(keys.stream(topic), keys.position(topic))


def test_a_stream_hears_it_too(one: LoneSidecar, topic: str) -> None:
    with (
        http(one) as client,  # type: ignore[arg-type]
        client.stream("GET", "/ws/events", params={"topic": topic}) as stream,
        follower(one, topic) as speaker,
    ):
        lines = stream.iter_lines()
        # Counted, so both are there.
        assert any('"count":2' in line for line in lines)
        speaker.send(whisper(topic, 7))
        assert "event: whisper" in lines
        assert next(lines).endswith('"data":7}')


@pytest.mark.parametrize(
    ("message", "code"),
    [
        (whisper("news", 1), "no_whispers"),
        (whisper("board:not-subscribed", 1), "no_whispers"),
        (whisper("board:x", "x" * limits.WHISPER_BYTES), "bad_message"),
        (whisper("board:x", {"n": [float("nan")]}), "bad_message"),
        ({"op": "whisper", "topic": "board:x"}, "bad_message"),
    ],
)
def test_what_is_refused_is_said_and_the_connection_stays(
    one: LoneSidecar, message: dict[str, Any], code: str
) -> None:
    with follower(one, "news") as socket:
        socket.send(message)
        error = socket.expect("error")
        assert error["code"] == code
        # It names the topic of a subscribe that is refused, and this subscription goes on.
        assert "topic" not in error
        socket.send({"op": "ping"})
        socket.expect("pong")


def test_who_whispers_too_often_is_told_so(one: LoneSidecar, topic: str) -> None:
    with follower(one, topic) as socket:
        for number in range(3 * limits.WHISPERS_PER_SECOND):
            socket.send(whisper(topic, number))
        assert socket.expect("error")["code"] == "too_many_whispers"


def test_the_connections_of_an_address_share_a_rate(server: RedisServer, topic: str) -> None:
    share = {"MAX_SOCKETS": "8000", "MAX_SOCKETS_PER_CLIENT": "10"}  # 5 a second
    with LoneSidecar(server, **PUBLIC, **share) as sidecar, ExitStack() as exits:
        sockets = [exits.enter_context(follower(sidecar, topic)) for _ in range(5)]
        for number in range(limits.WHISPERS_PER_SECOND - 1):
            for socket in sockets:
                socket.send(whisper(topic, number))
        for socket in sockets:
            assert socket.expect("error")["code"] == "too_many_whispers"


def test_a_client_that_does_not_read_misses_whispers_and_no_event(
    one: LoneSidecar, server: RedisServer, topic: str
) -> None:
    publish, data = Publisher(server.app_env), "x" * (limits.WHISPER_BYTES - 2)
    with RawSocket(one.base_url, receive_buffer=4096, topic=topic) as slow, ExitStack() as exits:
        slow.message("subscribed")
        speakers = [exits.enter_context(follower(one, topic)) for _ in range(20)]
        whisper_until_heard(speakers[0], speakers[1], topic)
        said = 0
        # More than may wait for a client.
        while said < 1.5 * limits.BACKLOG_BYTES:
            for speaker in speakers:
                speaker.send(whisper(topic, data))
                said += len(data)
            time.sleep(1 / limits.WHISPERS_PER_SECOND)
        published = [publish(topic, number) for number in range(10)]
        events: list[str] = []
        whispers = 0
        while len(events) < len(published):
            message = json.loads(slow.expect(TEXT))
            whispers += message["op"] == "whisper"
            events += [message["id"]] if message["op"] == "event" else []
        assert events == published
        assert 0 < whispers < said / len(data) / 2


def test_the_sidecar_may_publish_whispers_and_no_events(server: RedisServer) -> None:
    client = server.client("asgi")
    client.publish(keys.whispers("t"), "x")
    for channel in (keys.channel("t"), keys.CONTROL):
        with pytest.raises(NoPermissionError):
            client.publish(channel, "x")


def test_with_users_of_before_there_are_no_whispers_and_all_events(server: RedisServer, topic: str) -> None:
    admin, publish = server.client(), Publisher(server.app_env)
    admin.execute_command("ACL", "SETUSER", "asgi", "resetchannels", "&event:*", "&control", "clearselectors")
    try:
        with LoneSidecar(server, **PUBLIC) as sidecar, follower(sidecar, topic) as socket:
            for number in range(3):
                socket.send(whisper(topic, number))
                publish(topic, number)
                assert socket.expect("event")["data"] == number
            with http(sidecar) as client:  # type: ignore[arg-type]
                assert client.get("/ws/readyz").status_code == 200
    finally:
        admin.execute_command("ACL", "LOAD")


def test_after_redis_was_away_it_goes_on(one: LoneSidecar, server: RedisServer, topic: str) -> None:
    with follower(one, topic) as speaker, follower(one, topic) as hearer:
        whisper_until_heard(speaker, hearer, topic)
        server.kill()
        server.start()
        whisper_until_heard(speaker, hearer, topic)
