"""The browser's client, in Node: whatever the transport, one topic or callback does not spoil the others."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from tests.harness.api import create
from tests.harness.cable import Cable
from tests.harness.clients import frozen_redis, http, wait_for
from tests.harness.listening import listening
from tests.harness.local import LocalStack
from tests.harness.sidecar import ticket

BLOCKED = {"websocket": (), "sse": ("/ws",), "poll": ("/ws", "/ws/events")}
TRANSPORTS = pytest.mark.parametrize("transport", BLOCKED)


@pytest.fixture
def cable(local_stack: LocalStack) -> Iterator[Cable]:
    """A way to the stack that lets some transports through."""
    with Cable(local_stack.base_url) as cable:
        yield cable


@pytest.fixture
def url(cable: Cable, transport: str) -> str:
    """Where only one transport gets through."""
    cable.block(*BLOCKED[transport])
    return cable.base_url


def pin(stack: LocalStack, board: str, text: str) -> None:
    with http(stack) as client:
        create(client, board, text)


@TRANSPORTS
def test_callbacks_that_throw_hear_every_event_over_the_same_connection(
    local_stack: LocalStack, url: str, board: str, transport: str
) -> None:
    topic = f"board:{board}"
    with listening(url=url, topics=[topic], throws=True) as client:
        client.wait("status", "live", transport)
        for text in ("one", "two", "three"):
            pin(local_stack, board, text)
            client.wait("event", topic, text)
        assert client.of("event") == [[topic, "one"], [topic, "two"], [topic, "three"]]
        assert client.of("status").count(["live", transport]) == 1
        assert client.is_running()


@TRANSPORTS
def test_a_refused_topic_is_told_and_the_others_go_on(
    local_stack: LocalStack, url: str, board: str, transport: str
) -> None:
    public, own, private, bad = f"board:{board}", "user:7", "user:8", "no topic"
    pass_for_own = ticket(local_stack, [own])
    with listening(url=url, topics=[private, own, bad, public], ticket=pass_for_own) as client:
        client.wait("status", "live", transport)
        for text in ("one", "two"):
            pin(local_stack, board, text)
            client.wait("event", public, text)
        told = {topic: code for topic, code, detail in client.of("refused") if detail}
        assert told == {private: "not_allowed", bad: "bad_message"}
        assert len(client.of("refused")) == 2
        assert client.of("status").count(["live", transport]) == 1


@TRANSPORTS
def test_a_client_with_no_topic_that_it_may_hear_is_told_so(
    url: str,
    transport: str,  # noqa: ARG001
) -> None:
    with listening(url=url, topics=["user:8"]) as client:
        (told,) = wait_for(lambda: client.of("refused"), "a refusal")
        assert told[:2] == ["user:8", "not_allowed"]


@pytest.mark.parametrize("transport", ["websocket"])
def test_of_a_hundred_and_one_topics_a_hundred_are_live(
    local_stack: LocalStack, url: str, board: str
) -> None:
    topics = [*(f"board:{board}-{number}" for number in range(100)), f"board:{board}"]
    with listening(url=url, topics=topics) as client:
        client.wait("refused", f"board:{board}", "too_many_topics", "at most 100 topics per connection")
        for number in (0, 99):
            pin(local_stack, f"{board}-{number}", "hello")
            client.wait("event", f"board:{board}-{number}", "hello")
        assert len(client.of("refused")) == 1
        assert client.of("status") == [["connecting", None], ["live", "websocket"]]


@TRANSPORTS
def test_a_snapshot_and_the_events_after_it_are_everything_once(
    local_stack: LocalStack, url: str, board: str
) -> None:
    topic = f"board:{board}"
    pin(local_stack, board, "before")
    state = f"{local_stack.base_url}/api/notes?board={board}"
    with listening(url=url, topics=[topic], state=state) as client:
        client.wait("state", topic, ["before"])
        pin(local_stack, board, "after")
        client.wait("event", topic, "after")
        local_stack.redis_cli("DEL", f"topic:{{{topic}}}", f"stream:{{{topic}}}")
        client.wait("resync", topic)
        client.wait("state", topic, ["after", "before"])
        pin(local_stack, board, "last")
        client.wait("event", topic, "last")
        assert client.of("event") == [[topic, "after"], [topic, "last"]]


@pytest.mark.parametrize("transport", ["websocket", "sse"])
def test_a_client_hears_when_events_cannot_arrive_and_when_they_do_again(
    local_stack: LocalStack, url: str, board: str, transport: str
) -> None:
    topic = f"board:{board}"
    with listening(url=url, topics=[topic]) as client:
        client.wait("status", "live", transport)
        with frozen_redis(local_stack):
            ((since,), *_) = wait_for(lambda: client.of("behind"), "the client to hear of it")
            assert datetime.fromisoformat(since) < datetime.now(UTC)
        client.wait("behind", None)
        pin(local_stack, board, "afterwards")
        client.wait("event", topic, "afterwards")


@pytest.mark.parametrize("transport", ["websocket", "sse"])
def test_clients_hear_who_is_there_and_what_they_whisper(
    local_stack: LocalStack, url: str, board: str, transport: str
) -> None:
    topic, ada = f"board:{board}", {"name": "Ada"}
    with listening(url=url, topics=[topic]) as client:
        client.wait("status", "live", transport)
        with listening(url=local_stack.base_url, topics=[topic], me=ada, says={"typing": True}):
            person = wait_for(
                lambda: next((people[0] for _, people, _ in client.of("people") if people), None), "Ada"
            )
            assert person["me"] == ada
            client.wait("whisper", topic, person["id"], {"typing": True})
        wait_for(lambda: client.of("people")[-1][1:] == [[], 0], "Ada to have left")
