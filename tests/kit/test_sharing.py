"""Threads, forked processes and greenlets share connections, or have their own, and get their own answers."""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import corkboard
from corkboard import StoreUnavailable, publish, settings
from corkboard.store import Store
from local.settings import ROOT
from tests.harness.redis_server import RedisServer
from tests.kit.test_store import LATE, refused_after


def test_a_call_waits_for_a_free_connection_and_no_longer_than_its_time(server: RedisServer) -> None:
    store = Store(settings.load().url, connections=1)
    store.ask(("PING",))
    with server.frozen(), waiting(store):
        assert refused_after(lambda: store.ask(("PING",), seconds=0.5)) < 0.5 + LATE


@contextmanager
def waiting(store: Store) -> Iterator[None]:
    """Another thread waits for an answer meanwhile."""
    asked = threading.Event()

    def ask() -> None:
        asked.set()
        with suppress(StoreUnavailable):
            store.ask(("PING",))

    thread = threading.Thread(target=ask)
    thread.start()
    asked.wait()
    time.sleep(0.2)  # until it has the connection
    try:
        yield
    finally:
        thread.join()


def test_threads_share_the_connections(server: RedisServer, topic: str) -> None:
    store = Store(settings.load().url, connections=3)
    corkboard.store.use(store)
    try:
        with ThreadPoolExecutor(32) as pool:
            before = connection_ids(server)
            ids = list(pool.map(lambda number: publish(topic, "x", number), range(500)))
        assert len(connection_ids(server) - before) <= 3
    finally:
        corkboard.store.use(None)
    assert len(set(ids)) == len(server.events(topic)) == 500
    assert sorted(event["data"] for event in server.events(topic)) == list(range(500))


def test_a_process_that_was_forked_has_connections_of_its_own(server: RedisServer, topic: str) -> None:
    publish(topic, "parent")
    before = connection_ids(server)
    child = os.fork()
    if child == 0:
        try:
            publish(topic, "child")
            os._exit(0)
        except BaseException:
            os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    publish(topic, "parent")
    assert [event["type"] for event in server.events(topic)] == ["parent", "child", "parent"]
    assert before <= connection_ids(server)


def connection_ids(server: RedisServer) -> set[str]:
    found: Any = server.client().client_list()
    return {client["id"] for client in found if client["name"] == "corkboard-app"}


def test_a_fork_while_all_connections_are_in_use_does_not_hang(server: RedisServer) -> None:
    store = Store(settings.load().url, connections=1)
    store.ask(("PING",))
    with server.frozen(), waiting(store):
        child = os.fork()
        if child == 0:
            time.sleep(1)  # until the server runs again
            try:
                store.ask(("PING",))
                os._exit(0)
            except BaseException:
                os._exit(1)
        server.thaw()
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def _work(topic: str, number: int) -> str:
    return publish(topic, "x", number)


def test_the_workers_of_a_pool_that_forks_publish(server: RedisServer, topic: str) -> None:
    publish(topic, "x", -1)
    with multiprocessing.get_context("fork").Pool(4) as workers:  # as Celery's are
        ids = workers.starmap(_work, [(topic, number) for number in range(40)])
    assert len(set(ids)) == 40
    assert len(server.events(topic)) == 41


GREENLETS = """
from gevent import monkey; monkey.patch_all()
import os, signal, sys, time, gevent
import corkboard
topic = sys.argv[1]
begun = time.monotonic()
ticks = []
def tick():
    while True:
        ticks.append(time.monotonic()); gevent.sleep(0.01)
ticking = gevent.spawn(tick)
jobs = [gevent.spawn(corkboard.publish, topic, "x", number) for number in range(300)]
gevent.joinall(jobs, raise_error=True)
# One that is ended half-way leaves nothing behind that another would take for its answer.
os.kill(int(sys.argv[2]), signal.SIGSTOP)
cut = gevent.spawn(corkboard.publish, topic + ":cut", "x")
gevent.sleep(0.3)
cut.kill()
next_one = gevent.spawn(corkboard.position, topic)
gevent.sleep(0.3)
os.kill(int(sys.argv[2]), signal.SIGCONT)
assert next_one.get().endswith("-300")
print(len({job.value for job in jobs}), corkboard.publish(topic, "x").partition("-")[2])
ticking.kill()
assert len(ticks) > 1
"""


def test_greenlets_publish_at_the_same_time(server: RedisServer, topic: str) -> None:
    environment = {"CORKBOARD_ENV_FILE": str(server.app_env)}
    done = run_python(GREENLETS, topic, str(server.pid), environment=environment)
    assert done.stdout.split() == ["300", "301"]


def run_python(
    code: str, *arguments: str, environment: dict[str, str] | None = None, folder: Path = ROOT
) -> subprocess.CompletedProcess[str]:
    """Runs code in a process of its own, with the kit on its path."""
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        env={**os.environ, "PYTHONPATH": str(ROOT), **(environment or {})},
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done
