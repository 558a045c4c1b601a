"""Requests that read, as many and as odd as one address may send."""

from __future__ import annotations

import re
import time
import tracemalloc
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from local import processes
from tests.harness.boards import many_notes
from tests.harness.clients import http
from tests.harness.local import LocalStack
from tests.harness.visitor import Visitor
from tests.hostile.conftest import ATTACKER
from wsgi_app.notes import remembered
from wsgi_app.notes.models import ListQuery
from wsgi_app.notes.store import SEARCH_STEPS

SECONDS = 5
# The worst that a search can be asked: it nearly fits everywhere.
TEXT = "a" * 2_000
QUERY = "a" * 199 + "z"
# Each becomes three characters when case is folded.
LONGEST = "\u0390" * 194


def attacker(stack: LocalStack) -> httpx.Client:
    return http(stack, transport=httpx.HTTPTransport(local_address=ATTACKER))


@pytest.fixture(scope="module")
def board(stack: LocalStack) -> Iterator[str]:
    with many_notes(stack, 5_000, TEXT, TEXT) as board:
        yield board


@pytest.mark.usefixtures("remembers")
def test_searches_hold_up_each_other_and_nobody_else(stack: LocalStack, visitor: Visitor, board: str) -> None:
    def search(number: int) -> set[int]:
        statuses = set()
        until = time.monotonic() + SECONDS
        with attacker(stack) as client:
            while time.monotonic() < until:
                # Each its own, so that no list is remembered.
                query = {
                    "board": board,
                    "q": QUERY,
                    "limit": number + 1,
                    "page": 10_000_000 + time.time_ns() % 10**6,
                }
                statuses.add(status := client.get("/api/notes", params=query).status_code)
                if status != 200:
                    time.sleep(0.05)  # what nginx refuses costs this process more than the stack
        return statuses

    idle = visitor.watch(1)
    with ThreadPoolExecutor(16) as pool:
        answered = set().union(*pool.map(search, range(16)))
    visitor.report().undisturbed(idle)
    assert answered <= {200, 429, 503}
    assert 200 in answered


def test_a_search_asks_redis_in_small_steps(stack: LocalStack, board: str) -> None:
    (redis,) = processes.members(stack.state.run / "redis.pid")
    stack.redis_cli("CONFIG", "RESETSTAT")
    before = sum(redis.cpu_times()[:2])
    with http(stack) as client:
        found = client.get("/api/notes", params={"board": board, "q": QUERY}).json()
    used = sum(redis.cpu_times()[:2]) - before
    assert found["notes"] == []
    assert found["next"]
    calls = re.search(r"cmdstat_fcall_ro:calls=(\d+)", stack.redis_cli("INFO", "commandstats"))
    assert calls
    assert int(calls[1]) == SEARCH_STEPS
    assert used / SEARCH_STEPS < 0.005


def test_lists_that_are_remembered_take_no_more_than_their_bound() -> None:
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        for number in range(3 * remembered.BYTES // remembered.ENTRY_BYTES):
            query = ListQuery.model_validate({"q": f"{number:06}" + LONGEST, "page": str(number + 1)})
            remembered.remember(query, f"1-{number}", b'{"notes":[]}')
        after, _ = tracemalloc.get_traced_memory()
        assert remembered.find(query)[1]
        assert after - before < remembered.BYTES
    finally:
        tracemalloc.stop()
