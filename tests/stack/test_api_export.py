"""The export: everything, at once, and without the app ever holding it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import ExitStack

import httpx
import psutil
import pytest

from tests.harness.api import create, listed, problem
from tests.harness.boards import many_notes
from tests.harness.clients import frozen_redis, http, wait_for
from tests.harness.local import LocalStack
from tests.harness.stack import Stack

NOTES, PAGE = 20_000, 50
# More than the buffers on the way hold: up to 32 MiB a connection.
TEXT_BYTES = 6_000

# What is in memory, and when, is up to the app and to the configuration of nginx: the same in containers.
LOCAL = pytest.mark.parametrize("stack", ["local"], indirect=True)


@pytest.fixture(scope="module")
def large_board(stack: Stack) -> Iterator[str]:
    with many_notes(stack, NOTES, "x" * TEXT_BYTES) as board:
        yield board


def pages_read(stack: Stack) -> int:
    found = re.search(r"cmdstat_fcall_ro:calls=(\d+)", stack.redis_cli("INFO", "commandstats"))
    assert found
    return int(found[1])


def test_the_export_has_every_note_on_a_line_of_its_own(client: httpx.Client, board: str) -> None:
    for text in ("one", "two\nlines", "\u2028 🦄 \u0085"):
        create(client, board, text)
    answer = client.get("/api/notes/export", params={"board": board})
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/x-ndjson"
    assert answer.content.endswith(b"\n")
    assert [json.loads(line) for line in answer.content[:-1].split(b"\n")] == listed(client, board)


def test_an_empty_board_exports_nothing(client: httpx.Client, board: str) -> None:
    answer = client.get("/api/notes/export", params={"board": board})
    assert (answer.status_code, answer.content) == (200, b"")


@LOCAL
def test_the_first_notes_arrive_before_the_others_are_read(
    stack: Stack, client: httpx.Client, large_board: str
) -> None:
    before = pages_read(stack)
    with client.stream("GET", "/api/notes/export", params={"board": large_board}) as answer:
        lines = answer.iter_lines()
        assert json.loads(next(lines))["text"].startswith(f"note {NOTES}")
        # We read no further, so the buffers fill up and the app waits for us.
        assert pages_read(stack) - before < NOTES / PAGE
        ids = {json.loads(line)["id"] for line in lines}
    assert len(ids) == NOTES - 1


@LOCAL
def test_more_exports_at_once_than_there_are_places_are_told_to_come_back(
    client: httpx.Client, large_board: str
) -> None:
    with ExitStack() as readers:

        def open_one() -> httpx.Response:
            return readers.enter_context(
                client.stream("GET", "/api/notes/export", params={"board": large_board})
            )

        answers = [open_one() for _ in range(3)]
        assert sorted(answer.status_code for answer in answers) == [200, 200, 503]
        refused = max(answers, key=lambda answer: answer.status_code)
        refused.read()
        assert problem(refused, 503)
        assert int(refused.headers["retry-after"]) > 0
    # Places are given back, also by those who hung up, and by those who asked for the head only.
    for _ in range(20):
        assert client.head("/api/notes/export", params={"board": large_board}).status_code in (200, 503)
    wait_for(lambda: len(listed_export(client, large_board)) == NOTES, "a place for an export")


def listed_export(client: httpx.Client, board: str) -> list[bytes]:
    answer = client.get("/api/notes/export", params={"board": board})
    return answer.content.splitlines() if answer.status_code == 200 else []


def test_an_export_takes_no_memory(local_stack: LocalStack) -> None:
    def memory() -> int:
        services = (psutil.Process(pid) for pid in local_stack.pids())
        return sum(one.memory_info().rss for one in services if "gunicorn" in " ".join(one.cmdline()))

    def export(board: str) -> int:
        with (
            http(local_stack) as client,
            client.stream("GET", "/api/notes/export", params={"board": board}) as answer,
        ):
            return sum(map(len, answer.iter_bytes()))

    with many_notes(local_stack, NOTES, "x" * 2_000) as board:
        for _ in range(3):
            export(board)
        before = memory()
        size = sum(export(board) for _ in range(3))
        assert size > 3 * NOTES * 2_000
        # One export is 40 MB. A thread that serves its first one takes some memory for good.
        assert memory() - before < 20 * 2**20


@LOCAL
def test_a_search_through_many_notes_finds_the_oldest(client: httpx.Client, large_board: str) -> None:
    found = listed(client, large_board, q="the VERY first")
    assert [note["text"] for note in found] == ["the very first"]


@LOCAL
def test_an_export_that_breaks_off_does_not_look_complete(
    stack: Stack, client: httpx.Client, large_board: str
) -> None:
    with client.stream("GET", "/api/notes/export", params={"board": large_board}) as answer:
        parts = answer.iter_raw()
        next(parts)
        with frozen_redis(stack), pytest.raises(httpx.RemoteProtocolError):
            for _ in parts:
                pass
