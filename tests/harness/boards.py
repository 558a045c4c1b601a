"""Boards with many notes, written past the app."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager

from tests.harness.api import create
from tests.harness.clients import http
from tests.harness.stack import Stack

# So much at once: Redis holds what one script wrote several times until it is on the disk.
SEEDED_BYTES = 6_000_000
# Writes notes as wsgi_app/notes/notes.lua keeps them, but tells nobody.
SEED = """
local topic = KEYS[1]
for number = tonumber(ARGV[2]), tonumber(ARGV[3]) do
  local id, text = string.format('%s.%016x', ARGV[1], number), 'note ' .. number
  redis.call('HSET', 'notes:{' .. topic .. '}', id, cjson.encode({id = id, text = text .. ARGV[4]}))
  redis.call('HSET', 'folded:{' .. topic .. '}', id, text .. ARGV[5])
  redis.call('ZADD', 'order:{' .. topic .. '}', number, id)
end
return redis.call('HSET', 'topic:{' .. topic .. '}', 'offset', ARGV[3])
"""
KINDS = ("notes", "folded", "order", "topic", "stream")


@contextmanager
def many_notes(stack: Stack, notes: int, text: str, folded: str = "") -> Iterator[str]:
    """A board with so many notes, which goes after the block. The oldest is "the very first".

    Args:
        text: what follows `note NUMBER` in each of the others.
        folded: the same, where a search looks.
    """
    board = f"large-{secrets.token_hex(6)}"
    step = SEEDED_BYTES // len(text + folded)
    with http(stack) as client:
        create(client, board, "the very first")
    try:
        for first in range(2, notes + 1, step):
            numbers = str(first), str(min(notes, first + step - 1))
            stack.redis_cli("EVAL", SEED, "1", f"board:{board}", board, *numbers, text, folded)
        yield board
    finally:
        forget(stack, board)


def forget(stack: Stack, board: str) -> None:
    """Removes a board."""
    stack.redis_cli("DEL", *(f"{kind}:{{board:{board}}}" for kind in KINDS))
