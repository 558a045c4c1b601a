"""What is answered while a part is away; `make prove` says what is lost then (test_prove.py)."""

from __future__ import annotations

import time

import pytest
from websockets.exceptions import ConnectionClosed

from tests.harness.clients import Socket, frozen_redis, http, wait_for
from tests.harness.stack import Stack


def test_while_redis_is_frozen_requests_end_soon_and_then_all_is_well(stack: Stack, board: str) -> None:
    with http(stack) as client:
        assert client.post("/api/notes", json={"board": board, "text": "before"}).status_code == 201
        took: list[float] = []
        with frozen_redis(stack):
            for _ in range(5):
                time.sleep(0.6)  # longer than the app refuses without asking Redis again
                started = time.monotonic()
                answer = client.post("/api/notes", json={"board": board, "text": "lost?"})
                took.append(time.monotonic() - started)
                assert answer.status_code == 503
                assert int(answer.headers["Retry-After"]) > 0
                assert answer.headers["Content-Type"] == "application/problem+json"
            # Most of them: a busy machine may stand still once or twice.
            assert sorted(took)[2] < 3
            assert client.get(f"/b/{board}").status_code == 200
            assert client.get("/healthz").status_code == 200
            assert client.get("/readyz").status_code == 503
            wait_for(lambda: client.get("/ws/readyz").status_code == 503, "the sidecar not ready")
        assert client.post("/api/notes", json={"board": board, "text": "after"}).status_code == 201
        wait_for(lambda: client.get("/ws/readyz").status_code == 200, "the sidecar ready again")
        with Socket(stack, topic=f"board:{board}", since="0-0") as socket:
            assert socket.expect("subscribed")["recovered"]
            assert socket.expect("event")["data"]["text"] == "before"


def test_a_server_that_was_emptied_gets_its_functions_back(stack: Stack, board: str) -> None:
    with http(stack) as client:
        stack.redis_cli("FUNCTION", "FLUSH")
        assert client.post("/api/notes", json={"board": board, "text": "here"}).status_code == 201


def test_a_topic_that_cannot_be_read_does_not_disturb_the_others(stack: Stack, board: str) -> None:
    broken, good = f"board:{board}-broken", f"board:{board}"
    stack.redis_cli("SET", f"topic:{{{broken}}}", "somebody wrote over it")
    try:
        with (
            http(stack) as client,
            Socket(stack, topic=broken) as refused,
            Socket(stack, topic=good) as socket,
        ):
            with pytest.raises(ConnectionClosed) as closed:
                refused.receive(5)
            assert closed.value.rcvd is not None
            assert closed.value.rcvd.code == 1013
            socket.expect("subscribed")
            client.post("/api/notes", json={"board": board, "text": "heard all the same"})
            assert socket.expect("event")["data"]["text"] == "heard all the same"
            assert client.get("/ws/readyz").status_code == 200
    finally:
        stack.redis_cli("DEL", f"topic:{{{broken}}}")
    with Socket(stack, topic=broken) as socket:
        assert socket.expect("subscribed")["recovered"]
