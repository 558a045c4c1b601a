"""Somebody who fills Redis as fast as the rate limit lets them: others can still delete, and be protected."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest
from websockets.exceptions import ConnectionClosed

from redis import Redis
from tests.harness.api import problem
from tests.harness.boards import forget
from tests.harness.clients import Socket, http, wait_for
from tests.harness.local import LocalStack
from tests.harness.sidecar import Publisher, redis, replicas, ticket
from tests.harness.visitor import Visitor
from tests.hostile.conftest import ATTACKER

# What Redis may take beyond what it has: 12 MB are full after 400 posts, which is the burst of an address.
ROOM_BYTES = 12_000_000
# Six bytes a character as JSON.
LONGEST = "\x01" * 2_000
POSTERS = 4


@pytest.fixture
def admin(stack: LocalStack) -> Iterator[Redis]:
    """The operator, of a Redis that is small meanwhile."""
    with redis(stack) as admin:
        before = admin.config_get("maxmemory")["maxmemory"]
        admin.config_set("maxmemory", admin.info("memory")["used_memory"] + ROOM_BYTES)
        yield admin
        admin.config_set("maxmemory", before)


@pytest.fixture
def attacker(stack: LocalStack) -> Iterator[httpx.Client]:
    with http(stack, transport=httpx.HTTPTransport(local_address=ATTACKER)) as client:
        yield client


def fill(client: httpx.Client, board: str) -> tuple[list[str], httpx.Response]:
    """Posts until nothing more is taken; the ids of the notes, and the last answer."""

    def post(_: int) -> tuple[list[str], httpx.Response]:
        ids = []
        while (answer := client.post("/api/notes", json={"board": board, "text": LONGEST})).status_code in (
            201,
            429,
        ):
            ids += [answer.json()["id"]] if answer.status_code == 201 else []
        return ids, answer

    with ThreadPoolExecutor(POSTERS) as posters:
        answers = list(posters.map(post, range(POSTERS)))
    return [id_ for ids, _ in answers for id_ in ids], answers[0][1]


def test_what_frees_memory_and_what_protects_people_works_in_a_full_redis(
    stack: LocalStack, visitor: Visitor, publish: Publisher, admin: Redis, attacker: httpx.Client
) -> None:
    board, subject = f"full-{secrets.token_hex(6)}", secrets.token_hex(8)
    mine = f"user:{subject}"
    listener = Socket(stack, topic=mine, ticket=ticket(stack, [mine], sub=subject))
    with http(stack) as client, listener:
        listener.expect("subscribed")
        publish(mine)
        assert "warning" not in client.get("/readyz").json()
        notes, refusal = fill(attacker, board)
        assert "delete notes" in problem(refusal, 507)["detail"]

        # The visitor's notes find no room; everything else of theirs goes on.
        seen = visitor.watch(2)
        print(seen)
        assert not seen.closed
        assert all("507" in failure for failure in seen.failed)
        assert client.get("/").status_code == 200
        for path in ("/readyz", "/ws/readyz"):
            answer = client.get(path)
            assert answer.status_code == 200
            assert "80 %" in answer.json()["warning"]
        assert replicas(stack)[0].number("redis_filled_ratio") > 0.9

        # Even where something else has taken the rest.
        limit = admin.config_get("maxmemory")["maxmemory"]
        admin.config_set("maxmemory", admin.info("memory")["used_memory"] - 1_000_000)
        problem(client.post("/api/notes", json={"board": board, "text": "x"}), 507)
        publish.revoke(subject)
        with pytest.raises(ConnectionClosed) as closed:
            listener.expect("never")
        assert closed.value.rcvd
        assert closed.value.rcvd.code == 4403
        with Socket(stack, topic=f"board:{board}") as socket:
            socket.expect("subscribed")
            gone = notes.pop()
            assert client.delete(f"/api/notes/{gone}").json()["id"] == gone
            assert socket.expect("event")["data"]["id"] == gone
        admin.config_set("maxmemory", limit)

        def another() -> bool:
            return (
                client.post("/api/notes", json={"board": board, "text": "there is room"}).status_code == 201
            )

        def after_deleting() -> bool:
            return client.delete(f"/api/notes/{notes.pop()}").status_code == 200 and another()

        wait_for(after_deleting, "room for another note")
        # The operator's way: history is worth less than notes.
        fill(attacker, board)
        admin.xtrim(f"stream:{{board:{board}}}", 10, approximate=False)
        wait_for(another, "room after a trim")
        before: Any = visitor.report()
        wait_for(lambda: not visitor.watch(1).failed, "the visitor's notes to be taken again")
        assert not before.closed
    forget(stack, board)
