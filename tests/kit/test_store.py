"""A call is bounded in time, whatever Redis does, and a restart is survived."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

import corkboard
from corkboard import StoreUnavailable, publish, settings
from corkboard.pool import BREAK_SECONDS, SILENCE_SECONDS
from corkboard.publish import facts
from corkboard.store import LibraryBroken, Store
from tests.harness.clients import wait_for
from tests.harness.losing import LosingRelay
from tests.harness.redis_server import RedisServer

# A busy machine is late by itself.
LATE = 0.7


def refused_after(call: Callable[[], object]) -> float:
    """How long it took until the call failed."""
    begun = time.monotonic()
    with pytest.raises(StoreUnavailable):
        call()
    return time.monotonic() - begun


def test_a_frozen_server_is_a_refusal_within_two_seconds(server: RedisServer, topic: str) -> None:
    publish(topic, "x")
    with server.frozen():
        assert 1.5 < refused_after(lambda: publish(topic, "x")) < 2 + LATE
        # Nobody queues up for the same failure.
        assert refused_after(lambda: publish(topic, "x")) < 0.2


def test_a_frozen_server_that_is_new_to_the_process_is_a_refusal_within_two_seconds(
    server: RedisServer, topic: str
) -> None:
    url = settings.load().url
    with server.frozen():
        assert refused_after(lambda: Store(url).call("publish", [topic], "")) < 2 + LATE


def test_every_call_to_a_cluster_that_is_away_waits_for_it_and_no_longer_than_two_seconds() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    store = Store(f"redis+cluster://app:x@127.0.0.1:{port}")
    with ThreadPoolExecutor(8) as pool:
        took = list(pool.map(lambda _: refused_after(lambda: store.ask(("PING",))), range(8)))
    assert min(took) > 1.5
    assert max(took) < 2 + LATE


def test_many_threads_that_wait_for_a_frozen_server_wait_no_longer(server: RedisServer, topic: str) -> None:
    publish(topic, "x")
    with server.frozen(), ThreadPoolExecutor(64) as pool:
        took = list(pool.map(lambda _: refused_after(lambda: publish(topic, "x")), range(64)))
        assert max(took) < 2 + 2 * LATE


def test_a_server_that_is_gone_is_a_refusal_within_two_seconds_and_is_found_again(
    fragile_server: RedisServer, topic: str
) -> None:
    publish(topic, "x")
    fragile_server.kill()
    assert 1.5 < refused_after(lambda: publish(topic, "x")) < 2 + LATE
    # Nobody queues up for the same failure.
    assert refused_after(lambda: publish(topic, "x")) < 0.2
    fragile_server.start()
    time.sleep(BREAK_SECONDS)
    publish(topic, "x")


def test_one_call_finds_out_whether_the_server_is_back_and_the_others_do_not_wait_for_it(
    fragile_server: RedisServer, topic: str
) -> None:
    publish(topic, "x")
    fragile_server.kill()
    refused_after(lambda: publish(topic, "x"))
    time.sleep(BREAK_SECONDS)
    with ThreadPoolExecutor(8) as pool:
        took = sorted(pool.map(lambda _: refused_after(lambda: publish(topic, "x")), range(8)))
    assert took[-2] < LATE
    assert took[-1] > 1.5


def test_calls_wait_for_a_server_that_restarts(fragile_server: RedisServer, topic: str) -> None:
    publish(topic, "x")
    fragile_server.kill()
    with ThreadPoolExecutor(12) as pool:
        calls = [pool.submit(publish, topic, "x", number) for number in range(12)]
        wait_for(lambda: any(call.running() for call in calls), "a call")
        fragile_server.start()
        ids = [call.result() for call in calls]
    assert len(set(ids)) == 12
    assert len(fragile_server.events(topic)) == 13


@pytest.fixture
def relay(server: RedisServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[LosingRelay]:
    """The way on which `publish` reaches the server."""
    with LosingRelay(server.port) as relay:
        url = settings.load().url.replace(f":{server.port}", f":{relay.port}")
        monkeypatch.setenv("CORKBOARD_URL", url)
        yield relay


@pytest.mark.parametrize("late", [False, True])
def test_a_keyed_event_whose_answer_is_lost_is_sent_again_and_stored_once(
    server: RedisServer, relay: LosingRelay, topic: str, late: bool
) -> None:
    publish(topic, "x")
    relay.lose(b"FCALL", late=late)
    id_ = publish(topic, "x", key="a")
    wait_for(lambda: relay.lost == 1, "the first copy of the call")
    assert publish(topic, "x", key="a") == id_ == corkboard.position(topic)
    assert len(server.events(topic)) == 2


def test_an_event_without_a_key_whose_answer_is_lost_is_not_sent_again(
    server: RedisServer, relay: LosingRelay, topic: str
) -> None:
    publish(topic, "x")
    relay.lose(b"FCALL")
    with pytest.raises(StoreUnavailable):
        publish(topic, "x")
    assert len(server.events(topic)) == 2
    publish(topic, "x")


def test_what_only_reads_is_asked_again(relay: LosingRelay, topic: str) -> None:
    publish(topic, "x")
    relay.lose(b"HMGET")
    assert corkboard.position(topic).endswith("-1")
    assert relay.lost == 1


def test_a_name_server_that_does_not_answer_is_a_refusal_within_two_seconds(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked = threading.Event()
    # What it does where the name server is a machine that is not there; no test can wait for a real one.
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: asked.wait(10) and [])
    try:
        store = Store("redis://app:x@corkboard-redis:6379/0")
        assert 1.5 < refused_after(lambda: store.ask(("PING",))) < 2 + LATE
    finally:
        asked.set()


def test_calls_beyond_the_connections_are_refused_soon_while_others_wait(
    fragile_server: RedisServer, topic: str
) -> None:
    store = Store(settings.load().url, connections=2)
    corkboard.store.use(store)
    try:
        publish(topic, "x")
        fragile_server.kill()
        with ThreadPoolExecutor(8) as pool:
            took = sorted(pool.map(lambda _: refused_after(lambda: publish(topic, "x")), range(8)))
    finally:
        corkboard.store.use(None)
    assert took[5] < SILENCE_SECONDS + LATE
    assert took[6] > 1.5


def test_a_server_that_was_restarted_costs_no_failure(fragile_server: RedisServer, topic: str) -> None:
    publish(topic, "x")
    fragile_server.kill()
    fragile_server.start()
    publish(topic, "x")
    assert len(fragile_server.events(topic)) == 2


def test_an_address_that_swallows_everything_is_a_refusal_within_two_seconds() -> None:
    # A server whose queue of new connections is full answers as little as a machine that is not there.
    with listening_socket() as port:
        store = Store(f"redis://127.0.0.1:{port}/0")
        assert refused_after(lambda: store.ask(("PING",))) < 2 + LATE


@contextmanager
def listening_socket() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0), backlog=0) as server:
        address = server.getsockname()
        with socket.socket() as first, socket.socket() as second:
            for each in (first, second):
                each.setblocking(False)
                each.connect_ex(address)
            yield address[1]


def test_a_broken_function_library_is_said_to_be_broken(server: RedisServer, tmp_path: Path) -> None:  # noqa: ARG001
    broken = tmp_path / "more.lua"
    broken.write_text("nonsense nonsense\n")
    store = Store(settings.load().url, functions=[broken])
    for call in (store.load, lambda: store.call("publish", ["topic:{x}"], "{}")):
        with pytest.raises(LibraryBroken, match="Redis refuses the functions"):
            call()


def test_functions_of_an_apps_own_run_beside_those_of_the_kit(
    server: RedisServer, tmp_path: Path, topic: str
) -> None:
    own = tmp_path / "own.lua"
    own.write_text("""
        local function both(keys, args)
          redis.call('HSET', 'notes:{' .. args[1] .. '}', 'field', args[2])
          local a = cjson.decode(args[3])
          a.type = 'own'
          return (append(args[1], a, args[2]))
        end
        redis.register_function('both_@VERSION@', both)
    """)
    seen: list[str] = []

    @contextmanager
    def observe(name: str) -> Iterator[None]:
        seen.append(name)
        yield

    store = Store(settings.load().url, functions=[own], observe=observe)
    id_: bytes = store.call("both", [f"topic:{{{topic}}}"], topic, "7", json.dumps(facts()))
    assert id_.decode() == corkboard.position(topic)
    assert server.events(topic)[0]["data"] == 7
    assert seen == ["both"]


def test_a_full_server_is_unavailable_and_not_a_bug(fragile_server: RedisServer, topic: str) -> None:
    publish(topic, "x")
    fragile_server.client().config_set("maxmemory", 1)
    with pytest.raises(StoreUnavailable):
        publish(topic, "x")
    fragile_server.client().config_set("maxmemory", 0)
    publish(topic, "x")


def test_a_wrong_password_is_unavailable_and_named(
    server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CORKBOARD_URL", f"redis://app:wrong@127.0.0.1:{server.port}/0")
    with pytest.raises(StoreUnavailable, match="password"):
        publish("a", "x")


def test_a_process_follows_when_its_server_moves(
    server: RedisServer, topic: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settings, "LOOK_SECONDS", 0.0)
    publish(topic, "x")
    with RedisServer() as other:
        kept = server.app_env.read_text()
        server.app_env.write_text(other.app_env.read_text())
        publish(topic, "moved")
        server.app_env.write_text(kept)
        assert [event["type"] for event in other.events(topic)] == ["moved"]
    wait_for(lambda: bool(publish(topic, "x")), "the first server")
    assert [event["type"] for event in server.events(topic)] == ["x", "x"]
