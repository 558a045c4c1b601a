"""Somebody who has as much remembered as possible."""

from __future__ import annotations

import secrets
import time
from typing import Any

import httpx

from tests.harness.boards import forget
from tests.harness.clients import http
from tests.harness.local import LocalStack
from tests.harness.visitor import Visitor
from tests.hostile.conftest import ATTACKER

# Six bytes a character as JSON, and the largest note there is.
LONGEST = "\x01" * 2_000
KEPT_BYTES = 8 * 1024 * 1024


def post(client: httpx.Client, key: str, **note: Any) -> httpx.Response:
    """As fast as one address may."""
    while True:
        answer = client.post("/api/notes", json=note, headers={"Idempotency-Key": key})
        if answer.status_code != 429:
            return answer
        time.sleep(0.02)


def test_keys_of_one_address_push_out_its_own_only(stack: LocalStack, visitor: Visitor) -> None:
    board, mine = f"keys-{secrets.token_hex(6)}", f"mine-{secrets.token_hex(8)}"
    note = {"text": "once", "board": board}
    attacker = http(stack, transport=httpx.HTTPTransport(local_address=ATTACKER))
    with http(stack) as client, attacker:
        idle = visitor.watch(1)
        first = post(client, mine, **note)
        keys = []
        while len(keys) * len(LONGEST) * 6 < 1.2 * KEPT_BYTES:
            key = secrets.token_hex(16)
            answer = post(attacker, key, text=f"{LONGEST[:-10]}{len(keys)}", board=board)
            assert answer.status_code == 201
            keys.append(key)
        # Pushed out; the newest is not.
        assert post(attacker, keys[0], **note).status_code == 201
        assert post(attacker, keys[-1], **note).status_code == 422
        assert post(client, mine, **note).content == first.content
        assert int(stack.redis_cli("MEMORY", "USAGE", "idem:{notes}", "SAMPLES", "0")) < 1.5 * KEPT_BYTES
        visitor.report().undisturbed(idle)
    forget(stack, board)
