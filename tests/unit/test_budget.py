"""What an address may use is bounded, waits its turn, and is given back."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import pytest

from asgi_app import limits
from asgi_app.settings import Settings
from asgi_app.topics.budget import Allowance, Allowances, Crowded, Rate, TooManyTopics

KEY = "k" * 32


def allowances(inside: int = 1, of: int = 4) -> Allowances:
    """Those of a process of which an address may use a share."""
    return Allowances(Settings(max_sockets=of, max_sockets_per_client=inside, secret_key=KEY))  # type: ignore[arg-type]


def test_a_rate_lets_a_seconds_worth_through_and_then_makes_each_wait_longer() -> None:
    rate = Rate(100)
    assert rate.take(100) == 0
    assert 0.4 < rate.take(50) <= 0.5
    assert 0.9 < rate.take(50) <= 1
    assert not rate.idle


def test_what_is_taken_only_if_free_makes_nobody_wait() -> None:
    rate = Rate(10)
    assert [rate.take_if_free(5) for _ in range(4)] == [True, True, True, False]
    assert not rate.take_if_free(0.1)
    assert rate.take(0) <= 0.5


def test_topics_are_as_many_as_the_connections_allow() -> None:
    allowance = allowances().of("a")
    allowance.topics = limits.TOPICS_PER_SOCKET
    with pytest.raises(TooManyTopics):
        allowance.check_topics()
    allowance.topics -= 1
    allowance.check_topics()


def test_who_says_who_it_is_is_counted_until_it_leaves(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "TOPICS_PER_SOCKET", 3)
    allowance = allowances().of("a")
    assert [allowance.begin_introduction() for _ in range(4)] == [True, True, True, False]
    allowance.end_introduction()
    assert [allowance.begin_introduction() for _ in range(2)] == [True, False]


def test_so_many_say_who_they_are_in_a_second(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "ALL_INTRODUCTIONS_PER_SECOND", 16)  # 4 for this address, and as many before
    allowance, begun = allowances(100, 400).of("a"), 0
    while allowance.begin_introduction():
        begun += 1
    assert 4 <= begun <= 10
    assert allowance.people == begun


@pytest.fixture
def two_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two replays at a time in all, one for each address."""
    monkeypatch.setattr(limits, "REPLAYS", 2)
    monkeypatch.setattr(limits, "REPLAY_WAIT_SECONDS", 0.05)


@pytest.mark.usefixtures("two_turns")
def test_an_address_waits_for_itself_and_not_others_for_it() -> None:
    async def run() -> None:
        all_ = allowances(1, 2)
        one, other = all_.of("one"), all_.of("other")
        await one.begin_replay()
        with pytest.raises(Crowded):
            await one.begin_replay()
        await other.begin_replay()
        other.end_replay(10)
        one.end_replay(10)
        await one.begin_replay()

    asyncio.run(run())


@pytest.mark.usefixtures("two_turns")
def test_who_leaves_while_it_waits_takes_no_turn_with_it() -> None:
    async def run() -> None:
        allowance = allowances(1, 2).of("one")
        await allowance.begin_replay()
        waiting = [asyncio.create_task(allowance.begin_replay()) for _ in range(3)]
        await asyncio.sleep(0)
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
        allowance.end_replay(0)
        await allowance.begin_replay()

    asyncio.run(run())


def test_bytes_that_were_replayed_make_the_next_replay_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "REPLAYED_BYTES_PER_SECOND", 4000)
    monkeypatch.setattr(limits, "REPLAY_WAIT_SECONDS", 0.2)

    async def run() -> float:
        allowance = allowances().of("one")  # 1000 a second
        loop = asyncio.get_running_loop()
        await allowance.begin_replay()
        allowance.end_replay(1100)
        begun = loop.time()
        await allowance.begin_replay()
        allowance.end_replay(1000)
        waited = loop.time() - begun
        with pytest.raises(Crowded):
            await allowance.begin_replay()
        return waited

    assert asyncio.run(run()) >= 0.09


def test_an_address_is_forgotten_when_it_is_gone_and_owes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "TRIM_SECONDS", 0.01)

    async def kept(change: object) -> bool:
        all_ = allowances()
        allowance = all_.of("a")
        change(allowance)  # type: ignore[operator]
        with suppress(TimeoutError):
            async with asyncio.timeout(0.05):
                await all_.keep_few()
        return all_.of("a") is allowance

    def connect(allowance: Allowance) -> None:
        allowance.sockets = 1

    def begin(allowance: Allowance) -> None:
        allowance.topics = 1

    def introduce(allowance: Allowance) -> None:
        allowance.people = 1

    def send(allowance: Allowance) -> None:
        allowance.frames.take(1_000_000)

    assert not asyncio.run(kept(lambda _allowance: None))
    for use in (connect, begin, introduce, send):
        assert asyncio.run(kept(use)), use.__name__
