"""What `publish` and `revoke` do when Redis has no memory for more."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

import corkboard
from corkboard import StoreFull, StoreUnavailable, publish, publish_many, revoke
from tests.harness.clients import wait_for
from tests.harness.redis_server import RedisServer


@contextmanager
def memory(server: RedisServer, beyond: int) -> Iterator[None]:
    """Redis may use so much more than it does."""
    admin = server.client()
    admin.config_set("maxmemory", admin.info("memory")["used_memory"] + beyond)
    yield
    admin.config_set("maxmemory", 0)


def fill(topic: str) -> StoreUnavailable:
    """Publishes to ever more topics until one event is refused."""
    number = 0
    while True:
        try:
            publish_many((f"{topic}:{number}-{each}", "x", "x" * 5000) for each in range(20))
        except StoreFull as refused:
            return refused
        number += 1


def test_a_full_redis_says_so_and_leaves_a_reserve(server: RedisServer, topic: str) -> None:
    publish(topic, "x", key="sent before")
    with memory(server, 20_000_000):
        refused = fill(topic)
        assert "full" in str(refused)
        # Others have room: a sidecar that counts its listeners, an app that loads its functions.
        assert server.client("asgi").hset(f"presence:{{{topic}}}", "me", 1)
        corkboard.store.default().load()
        revoke("somebody")
        # What Redis has freed since may be room for some.
        wait_for(lambda: _nothing_of_several_is_sent(server, topic), "several events to be refused")
        server.client().delete(*server.client().keys(f"*{{{topic}:*"))
        wait_for(lambda: _published(topic), "room for another event")


def test_a_ticket_is_revoked_although_all_memory_is_used(server: RedisServer, topic: str) -> None:
    publish(topic, "x")
    with memory(server, -1_000_000):
        with pytest.raises(StoreFull):
            publish(topic, "x")
        revoke("somebody else")
        assert server.client().zscore("revoked:{control}", "somebody else")


def test_a_user_of_redis_who_may_not_ask_has_the_limit_of_redis(server: RedisServer, topic: str) -> None:
    admin = server.client()
    admin.execute_command("ACL", "SETUSER", "app", "-info")
    try:
        publish(topic, "x")
        with memory(server, -1_000_000), pytest.raises(StoreFull):
            publish(topic, "x")
    finally:
        admin.execute_command("ACL", "SETUSER", "app", "+info")


def _nothing_of_several_is_sent(server: RedisServer, topic: str) -> bool:
    before = server.events(topic)
    try:
        publish_many([(topic, "x"), (topic, "x")])
    except StoreFull:
        assert server.events(topic) == before  # none of them has a number
        return True
    return False


def _published(topic: str) -> bool:
    try:
        return bool(publish(topic, "x"))
    except StoreFull:
        return False
