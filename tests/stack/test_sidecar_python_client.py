"""The Python clients: every event once and in order, whatever happens on the way."""

from __future__ import annotations

import asyncio
import secrets
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from corkboard.client import Event, Lost, Refused, connect, listen
from tests.harness.cable import Cable
from tests.harness.clients import wait_for
from tests.harness.following import QUICK, Follower, Kind
from tests.harness.local import LocalStack
from tests.harness.sidecar import Publisher, ticket

both = pytest.mark.parametrize("kind", ["sync", "async"])
# Longer than a busy machine may stand still between making a ticket and showing it.
SHORT_SECONDS = 6.0
PRIVATE = "user:somebody"


@pytest.fixture
def publish(local_stack: LocalStack) -> Publisher:
    """An app that publishes."""
    return Publisher(local_stack.state.app_env)


@pytest.fixture
def topic() -> str:
    """A public topic that nobody else uses."""
    return f"board:python-{secrets.token_hex(6)}"


@pytest.fixture
def cable(local_stack: LocalStack) -> Iterator[Cable]:
    """A cable to the site."""
    with Cable(local_stack.base_url) as cable:
        yield cable


def kill(stack: LocalStack, _: Cable) -> None:
    stack.parts.kill("asgi")


def freeze(stack: LocalStack, _: Cable) -> None:
    stack.parts.freeze("asgi")
    time.sleep(QUICK.ping_every + QUICK.answer_within + 1)
    stack.parts.thaw("asgi")


def cut(_: LocalStack, cable: Cable) -> None:
    cable.cut()
    time.sleep(0.5)
    cable.mend()


def forget(_: LocalStack, cable: Cable) -> None:
    cable.forget()


@both
@pytest.mark.parametrize("fault", [kill, freeze, cut, forget], ids=lambda fault: fault.__name__)
def test_every_event_comes_once_and_in_order(
    local_stack: LocalStack,
    cable: Cable,
    publish: Publisher,
    topic: str,
    kind: Kind,
    fault: Callable[[LocalStack, Cable], None],
) -> None:
    published: list[str] = []
    stop = threading.Event()

    def write() -> None:
        while not stop.wait(0.02):
            published.append(publish(topic, {"number": len(published)}))

    writer = threading.Thread(target=write)
    with Follower(kind, cable.base_url, [topic]) as follower:
        writer.start()
        try:
            for _ in range(3):
                before = len(follower.items)
                wait_for(lambda before=before: len(follower.items) > before + 20, "events")
                fault(local_stack, cable)
        finally:
            stop.set()
            writer.join()
        follower.expect(published)
        assert not [item for item in follower.items if isinstance(item, Lost)]
    # Whole again for the tests that follow.
    wait_for(lambda: not local_stack.run("status", check=False).returncode, "the sidecars", 60)


@both
def test_a_stream_that_has_begun_misses_nothing_and_repeats_nothing(
    local_stack: LocalStack, publish: Publisher, topic: str, kind: Kind
) -> None:
    publish(topic, "before")
    with Follower(kind, local_stack.base_url, [topic]) as follower:
        id_ = publish(topic, {"text": "grüße"})
        follower.expect([id_])
        (item,) = follower.items
        assert isinstance(item, Event)
        assert (item.topic, item.type, item.data) == (topic, "test", {"text": "grüße"})
        assert item.time.endswith("Z")


@both
def test_it_goes_on_from_the_cursor_of_each_topic(
    local_stack: LocalStack, publish: Publisher, topic: str, kind: Kind
) -> None:
    other = f"{topic}-b"
    ids = [publish(topic) for _ in range(4)]
    others = [publish(other) for _ in range(3)]
    with Follower(kind, local_stack.base_url, {topic: ids[1], other: "0-0"}) as follower:
        wait_for(lambda: len(follower.items) == 5, "what was missed")
        assert [one.id for one in follower.items if one.topic == topic] == ids[2:]  # type: ignore[union-attr]
        assert [one.id for one in follower.items if one.topic == other] == others  # type: ignore[union-attr]


@both
def test_a_hundred_topics_share_a_stream(
    local_stack: LocalStack, publish: Publisher, topic: str, kind: Kind
) -> None:
    topics = [f"{topic}-{number}" for number in range(100)]
    with Follower(kind, local_stack.base_url, topics) as follower:
        follower.expect([publish(topics[99]), publish(topics[0])])


@both
def test_a_history_that_does_not_reach_back_is_said(
    local_stack: LocalStack, publish: Publisher, topic: str, kind: Kind
) -> None:
    first, *_, last = [publish(topic, history=2) for _ in range(5)]
    with Follower(kind, local_stack.base_url, {topic: first}) as follower:
        wait_for(lambda: follower.items, "the word that events are lost")
        after = publish(topic)
        follower.expect([after])
        assert follower.items[0] == Lost(topic, last)


@both
def test_data_that_is_lost_later_is_said(
    local_stack: LocalStack, publish: Publisher, topic: str, kind: Kind
) -> None:
    with Follower(kind, local_stack.base_url, [topic]) as follower:
        follower.expect([publish(topic)])
        local_stack.redis_cli("DEL", f"topic:{{{topic}}}", f"stream:{{{topic}}}")
        wait_for(lambda: isinstance(follower.items[-1], Lost), "the word that events are lost")
        publish(topic, "anew")
        wait_for(lambda: isinstance(follower.items[-1], Event), "an event of the new history")


@both
def test_a_revoked_ticket_ends_it_with_an_error_that_says_so(
    local_stack: LocalStack, publish: Publisher, kind: Kind
) -> None:
    subject = secrets.token_hex(8)
    token = ticket(local_stack, [PRIVATE], sub=subject)
    with Follower(kind, local_stack.base_url, [PRIVATE], ticket=lambda: token) as follower:
        publish.revoke(subject)
        assert "revoked" in follower.refusal()
        assert isinstance(follower.error, Refused)
    with Follower(kind, local_stack.base_url, [PRIVATE], ticket=lambda: token) as again:
        assert "revoked" in again.refusal()


@both
def test_an_expired_ticket_is_replaced_and_nothing_is_missed(
    local_stack: LocalStack, publish: Publisher, kind: Kind
) -> None:
    asked = 0

    def fresh() -> str:
        nonlocal asked
        asked += 1
        if asked == 2:
            raise ConnectionRefusedError("the app restarts")
        return ticket(local_stack, [PRIVATE], seconds=SHORT_SECONDS)

    published: list[str] = []
    with Follower(kind, local_stack.base_url, [PRIVATE], ticket=fresh) as follower:
        while asked < 3:
            published.append(publish(PRIVATE))
            time.sleep(0.1)
        published.append(publish(PRIVATE))
        follower.expect(published)


@both
@pytest.mark.parametrize("topics", [["user:other"], []], ids=["a ticket for another topic", "no ticket"])
def test_a_refused_topic_ends_it_with_an_error_that_names_it(
    local_stack: LocalStack, topic: str, kind: Kind, topics: list[str]
) -> None:
    asked: list[None] = []

    def token() -> str | None:
        asked.append(None)
        return ticket(local_stack, topics) if topics else None

    for given in (None, token):
        with Follower(kind, local_stack.base_url, [topic, PRIVATE], ticket=given) as follower:
            assert PRIVATE in follower.refusal()
            assert isinstance(follower.error, Refused)
    assert len(asked) == 1


@both
def test_it_waits_for_a_site_that_is_not_there_yet(
    cable: Cable, publish: Publisher, topic: str, kind: Kind
) -> None:
    cable.cut()
    follower = Follower(kind, cable.base_url, {topic: "0-0"})
    follower.start()
    try:
        ids = [publish(topic)]
        assert not follower.begun.wait(1)
        cable.mend()
        follower.expect(ids)
    finally:
        follower.finish()


def test_a_wait_that_was_given_up_loses_nothing(
    local_stack: LocalStack, publish: Publisher, topic: str
) -> None:
    published: list[str] = []

    def write() -> None:
        for _ in range(50):
            published.append(publish(topic))
            time.sleep(0.02)

    async def follow() -> list[str]:
        found: list[str] = []
        async with connect(local_stack.base_url, [topic]) as stream:
            writer.start()
            while len(found) < 50:
                try:
                    async with asyncio.timeout(0.005):
                        item = await stream.receive()
                except TimeoutError:
                    continue
                assert isinstance(item, Event)
                found.append(item.id)
        return found

    writer = threading.Thread(target=write)
    try:
        assert asyncio.run(follow()) == published
    finally:
        writer.join()


def test_without_asyncio_a_wait_can_be_bounded_and_the_stream_closed(
    local_stack: LocalStack, publish: Publisher, topic: str
) -> None:
    with listen(local_stack.base_url, [topic]) as stream:
        with pytest.raises(TimeoutError):
            stream.receive(0.05)
        id_ = publish(topic)
        item = stream.receive(30)
        assert isinstance(item, Event)
        assert item.id == id_
        stream.close()
        with pytest.raises(EOFError):
            stream.receive()
        assert list(stream) == []
