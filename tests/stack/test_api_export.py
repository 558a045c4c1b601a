"""The export: everything, at once, and without the app ever holding it."""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import psutil
import pytest

from tests.harness.api import create, listed
from tests.harness.clients import frozen_redis, http
from tests.harness.local import LocalStack
from tests.harness.stack import Stack

NOTES, PAGE = 20_000, 200
# More than the buffers on the way hold: up to 32 MiB a connection, and a container's port is one more.
TEXT_BYTES = 6_000
# So many at once are 6 MB: Redis holds what one script wrote several times until it is on the disk.
SEEDED = 1_000
# Writes notes as corkboard/functions.lua keeps them, but tells nobody.
SEED = """
local topic, padding = KEYS[1], string.rep('x', tonumber(ARGV[4]))
for number = tonumber(ARGV[2]), tonumber(ARGV[3]) do
  local id, text = string.format('%s.%016x', ARGV[1], number), 'note ' .. number
  redis.call('HSET', 'notes:{' .. topic .. '}', id, cjson.encode({id = id, text = text .. padding}))
  redis.call('HSET', 'folded:{' .. topic .. '}', id, text)
  redis.call('ZADD', 'order:{' .. topic .. '}', number, id)
end
return redis.call('HSET', 'topic:{' .. topic .. '}', 'offset', ARGV[3])
"""
KINDS = ("notes", "folded", "order", "topic", "stream")


@contextmanager
def many_notes(stack: Stack, text_bytes: int) -> Iterator[str]:
    board = f"large-{secrets.token_hex(6)}"
    with http(stack) as client:
        create(client, board, "the very first")
    try:
        for last in range(SEEDED, NOTES + 1, SEEDED):
            numbers = str(max(2, last - SEEDED + 1)), str(last)
            stack.redis_cli("EVAL", SEED, "1", f"board:{board}", board, *numbers, str(text_bytes))
        yield board
    finally:
        stack.redis_cli("DEL", *(f"{kind}:{{board:{board}}}" for kind in KINDS))


@pytest.fixture(scope="module")
def large_board(stack: Stack) -> Iterator[str]:
    with many_notes(stack, TEXT_BYTES) as board:
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

    with many_notes(local_stack, 2_000) as board:
        for _ in range(3):
            export(board)
        before = memory()
        size = sum(export(board) for _ in range(3))
        assert size > 3 * NOTES * 2_000
        # One export is 40 MB. A thread that serves its first one takes some memory for good.
        assert memory() - before < 20 * 2**20


def test_a_search_through_many_notes_finds_the_oldest(client: httpx.Client, large_board: str) -> None:
    found = listed(client, large_board, q="the VERY first")
    assert [note["text"] for note in found] == ["the very first"]


def test_an_export_that_breaks_off_does_not_look_complete(
    stack: Stack, client: httpx.Client, large_board: str
) -> None:
    with client.stream("GET", "/api/notes/export", params={"board": large_board}) as answer:
        parts = answer.iter_raw()
        next(parts)
        with frozen_redis(stack), pytest.raises(httpx.RemoteProtocolError):
            for _ in parts:
                pass
