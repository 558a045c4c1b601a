"""What processes tell each other about how many listen, on a real server; a process is an object here."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from redis.exceptions import NoPermissionError

from asgi_app import jsontext, limits
from asgi_app.settings import Settings
from asgi_app.topics import keys, store
from asgi_app.topics.counts import Counts
from asgi_app.topics.older import Older
from asgi_app.topics.people import Person, Share
from tests.harness.redis_server import RedisServer

TOPICS = [f"board:many-{number}" for number in range(1200)]


@pytest.fixture(autouse=True)
def nobody(server: RedisServer) -> None:
    server.client().flushall()


class Process:
    """One that shares its numbers."""

    def __init__(self, server: RedisServer) -> None:
        secret = (server.folder / "asgi" / "redis_password").read_text()
        settings = Settings(redis_url=f"redis://127.0.0.1:{server.port}/0", redis_password=secret)
        self.redis = store.connect(settings)
        self.counts = Counts(self.redis)
        self.older = Older(self.redis)
        self.here: dict[str, Share] = {}

    async def has(self, **numbers: int) -> set[str]:
        """So many listen from now on, and the others are asked. Returns what is news of them."""
        return await self.have({f"board:{name}": count for name, count in numbers.items()})

    async def have(self, numbers: dict[str, int], repeat: bool = False) -> set[str]:
        return await self.share({name: Share(count) for name, count in numbers.items()}, repeat)

    async def share(self, shares: dict[str, Share], repeat: bool = False) -> set[str]:
        """The same, with people."""
        self.here = {name: share for name, share in {**self.here, **shares}.items() if share.listeners}
        return await self.counts.exchange(self.here, set(shares), repeat)

    def elsewhere(self, topic: str) -> int:
        return sum(share.listeners for share in self.counts.elsewhere(topic))


def together(server: RedisServer, story: Callable[[Process, Process], Coroutine[Any, Any, None]]) -> None:
    """Runs a story of two processes."""

    async def tell() -> None:
        one, two = Process(server), Process(server)
        try:
            await story(one, two)
        finally:
            await one.redis.aclose()
            await two.redis.aclose()

    asyncio.run(tell())


def test_each_learns_what_the_other_has_of_the_topics_that_it_has_itself(server: RedisServer) -> None:
    async def story(one: Process, two: Process) -> None:
        await one.has(a=2, b=3)
        assert await two.has(a=1, c=4) == {"board:a"}
        assert await one.has() == {"board:a"}
        assert [one.elsewhere(f"board:{name}") for name in "abc"] == [1, 0, 0]
        assert two.elsewhere("board:a") == 2
        # One that comes later is asked for, although it has not changed.
        assert await two.has(b=1) == {"board:b"}
        assert two.elsewhere("board:b") == 3
        await one.has(a=0, b=5)
        assert await two.has() == {"board:a", "board:b"}
        assert [two.elsewhere(f"board:{name}") for name in "ab"] == [0, 5]

    together(server, story)


def person(number: int, length: int = 0) -> Person:
    me = {"name": "Zoë\t\n" + length * "x", "n": [number]}
    return Person.of(f"{number}", jsontext.compact(me, limits.ME_BYTES))


def test_people_are_learnt_with_the_numbers(server: RedisServer) -> None:
    people = tuple(person(number) for number in range(3))

    async def story(one: Process, two: Process) -> None:
        await two.has(a=1)
        for share in (Share(5, 3, people), Share(5, 2, people[1:]), Share(4)):
            await one.share({"board:a": share})
            assert await two.has() == {"board:a"}
            assert list(two.counts.elsewhere("board:a")) == [share]

    together(server, story)


def test_however_much_changes_at_once_no_value_in_redis_is_long(server: RedisServer) -> None:
    crowd = Share(limits.PEOPLE, limits.PEOPLE, tuple(person(n, 200) for n in range(limits.PEOPLE)))
    topics = TOPICS[: 2 * limits.PRESENCE_CHANGE_BYTES // len(bytes(crowd))]

    async def story(one: Process, two: Process) -> None:
        for process in (one, two, one):
            await process.have(dict.fromkeys(topics, 1))
        await one.share(dict.fromkeys(topics, crowd))
        assert await two.has() == set(topics)
        assert [list(two.counts.elsewhere(topic)) for topic in topics] == [[crowd]] * len(topics)
        admin = server.client()
        lengths = [admin.hstrlen(key, field) for key in admin.keys("*") for field in admin.hkeys(key)]
        assert max(lengths) <= limits.PRESENCE_CHANGE_BYTES
        # What comes after it is told as ever.
        await one.has(a=1)
        await two.has(a=1)
        assert two.elsewhere("board:a") == 1

    together(server, story)


def test_what_is_no_share_is_not_taken_for_one() -> None:
    for text in (b"", b"x", b"1\tx", b'1\t1\t{"me":{},"id":"1"}', b'1\t1\t{"id":"1","me":[]}'):
        with pytest.raises(ValueError, match=r"."):
            Share.parse(text)


def test_whoever_looks_seldom_knows_everything_all_the_same(server: RedisServer) -> None:
    async def story(one: Process, two: Process) -> None:
        await two.has(a=1, b=1)
        for changes in range(1, 3 * limits.PRESENCE_CHANGES):
            for number in range(changes):
                await one.has(a=number + 1, b=changes)
            await two.has()
            assert two.elsewhere("board:a") == two.elsewhere("board:b") == changes
        await one.has(b=0)
        await two.has()
        assert two.elsewhere("board:b") == 0

    together(server, story)


def test_a_process_that_dies_is_forgotten_with_all_that_it_wrote(server: RedisServer) -> None:
    async def story(one: Process, two: Process) -> None:
        await one.has(a=2)
        await two.has(a=1)
        await one.have({}, repeat=True)
        admin = server.client()
        fields: Any = admin.hkeys(keys.PROCESSES)
        expiring = [admin.ttl(keys.counts(field.decode())) for field in fields]
        expiring += admin.httl(keys.PROCESSES, *fields)
        assert len(expiring) == 4
        assert all(0 < seconds <= limits.FORGET_SECONDS for seconds in expiring)
        # As when its field has expired.
        mine = [field for field in fields if admin.hget(keys.counts(field.decode()), "board:a") == b"2"]
        admin.hdel(keys.PROCESSES, *mine)
        assert await two.has() == {"board:a"}
        assert two.elsewhere("board:a") == 0

    together(server, story)


def test_a_process_that_was_forgotten_but_lives_says_everything_again(server: RedisServer) -> None:
    async def story(one: Process, two: Process) -> None:
        await one.has(a=2, b=1)
        await two.has(a=1, b=1)
        await one.has()
        server.client().flushall()
        await one.has(b=0)
        await one.has()
        await two.has()
        await two.has()
        assert [two.elsewhere(f"board:{name}") for name in "ab"] == [2, 0]
        await one.has()
        assert one.elsewhere("board:a") == 1

    together(server, story)


def test_what_could_not_be_said_is_said_later(server: RedisServer) -> None:
    async def story(one: Process, two: Process) -> None:
        admin = server.client()
        await two.has(a=1)
        admin.execute_command("ACL", "SETUSER", "asgi", "-hset")
        try:
            with pytest.raises(NoPermissionError, match="permission"):
                await one.has(a=3)
        finally:
            admin.execute_command("ACL", "SETUSER", "asgi", "+hset")
        await one.has()
        assert await two.has() == {"board:a"}
        assert (one.elsewhere("board:a"), two.elsewhere("board:a")) == (1, 3)

    together(server, story)


def test_topics_on_which_nobody_comes_or_goes_cost_nothing(server: RedisServer) -> None:
    async def story(one: Process, two: Process) -> None:
        for process in (one, two, one):
            await process.have(dict.fromkeys(TOPICS, 1))
        admin = server.client()
        before = admin.info("stats")["total_commands_processed"]
        for _ in range(10):
            await one.has()
        assert admin.info("stats")["total_commands_processed"] - before <= 11
        assert all(one.elsewhere(topic) == 1 for topic in TOPICS)

    together(server, story)


def test_version_2_0_and_this_one_count_each_others_listeners(server: RedisServer) -> None:
    async def story(one: Process, two: Process) -> None:
        admin, topic = server.client(), keys.presence("board:a")
        here = {"board:a": Share(2), "board:b": Share(1)}
        admin.hset(topic, "old", 3)  # as 2.0 writes it
        assert await one.older.exchange(here, True) == {"board:a"}
        assert await two.older.exchange({"board:a": Share(5)}, True) == {"board:a"}
        assert one.older.counts == two.older.counts == {"board:a": 3}
        assert sum(map(int, admin.hvals(topic))) == 3 + 2 + 5  # as 2.0 reads it
        assert not admin.exists(keys.presence("board:b"))
        admin.hdel(topic, "old")
        for process in (one, two):
            assert await process.older.exchange({"board:a": Share(5)}, False) == {"board:a"}
            assert process.older.counts == {}
        assert not admin.exists(topic)

    together(server, story)
