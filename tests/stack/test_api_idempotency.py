"""An Idempotency-Key makes a write happen once, however often, and however badly, it is sent."""

from __future__ import annotations

import re
import secrets
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from tests.harness.api import events, listed, problem, wrong_fields
from tests.harness.clients import frozen_redis, http, wait_for
from tests.harness.stack import Stack


@pytest.fixture
def key() -> dict[str, str]:
    """The header with a key that nobody else uses."""
    return {"Idempotency-Key": f"test-{secrets.token_hex(8)}"}


def test_a_repeat_is_answered_alike_and_writes_nothing(
    stack: Stack, client: httpx.Client, board: str, key: dict[str, str]
) -> None:
    body = {"text": "once", "board": board}
    first, again = (client.post("/api/notes", json=body, headers=key) for _ in range(2))
    assert first.status_code == again.status_code == 201
    assert first.content == again.content
    for header in ("location", "etag"):
        assert first.headers[header] == again.headers[header]
    assert listed(client, board) == [first.json()]
    assert [event["data"] for event in events(stack, board)] == [first.json()]


def test_a_repeat_is_answered_alike_also_after_the_note_has_changed_or_gone(
    client: httpx.Client, board: str, key: dict[str, str]
) -> None:
    body = {"text": "once", "board": board}
    first = client.post("/api/notes", json=body, headers=key)
    client.patch(first.headers["location"], json={"text": "changed"})
    assert client.post("/api/notes", json=body, headers=key).content == first.content
    client.delete(first.headers["location"])
    assert client.post("/api/notes", json=body, headers=key).content == first.content
    assert listed(client, board) == []


def test_the_spelling_of_the_json_makes_no_other_request(
    client: httpx.Client, board: str, key: dict[str, str]
) -> None:
    headers = {**key, "Content-Type": "application/json"}
    one = f'{{"text": "caf\\u00e9", "board": "{board}"}}'
    two = f'{{"board":"{board}",\n"text":"  café "}}'
    answers = [client.post("/api/notes", content=body.encode(), headers=headers) for body in (one, two)]
    assert answers[0].status_code == 201
    assert answers[0].content == answers[1].content


@pytest.mark.parametrize("other", [{"text": "two"}, {"color": "plum"}, {"done": True}, {"board": "main"}])
def test_another_request_with_the_same_key_is_refused(
    client: httpx.Client, board: str, key: dict[str, str], other: dict[str, str]
) -> None:
    body = {"text": "one", "board": board}
    assert client.post("/api/notes", json=body, headers=key).status_code == 201
    before = client.get("/api/notes").json()["cursor"]
    assert wrong_fields(client.post("/api/notes", json={**body, **other}, headers=key)) == {"Idempotency-Key"}
    assert len(listed(client, board)) == 1
    assert client.get("/api/notes").json()["cursor"] == before


def test_a_request_that_was_refused_does_not_use_up_its_key(
    client: httpx.Client, board: str, key: dict[str, str]
) -> None:
    assert client.post("/api/notes", json={"text": "", "board": board}, headers=key).status_code == 422
    assert client.post("/api/notes", json={"text": "x", "board": board}, headers=key).status_code == 201


def test_repeats_at_the_same_moment_write_one_note(stack: Stack, board: str, key: dict[str, str]) -> None:
    def post(_: int) -> bytes:
        with http(stack) as client:
            answer = client.post("/api/notes", json={"text": "once", "board": board}, headers=key)
            assert answer.status_code == 201
            return answer.content

    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(post, range(24)))) == 1
    assert len(events(stack, board)) == 1


@pytest.mark.parametrize("value", ["", "a b", "ä", "x" * 256])
def test_a_key_that_makes_no_sense_is_a_400(client: httpx.Client, board: str, value: str) -> None:
    headers = {b"Idempotency-Key": value.encode()}
    problem(client.post("/api/notes", json={"text": "x", "board": board}, headers=headers), 400)
    assert listed(client, board) == []


def test_a_frozen_redis_is_a_503_and_the_repeat_writes_one_note(
    stack: Stack, client: httpx.Client, board: str, key: dict[str, str]
) -> None:
    body = {"text": "once", "board": board}
    with frozen_redis(stack):
        answer = client.post("/api/notes", json=body, headers=key)
    problem(answer, 503)
    assert int(answer.headers["retry-after"]) > 0
    repeat = wait_for(lambda: written(client.post("/api/notes", json=body, headers=key)), "the repeat")
    assert client.post("/api/notes", json=body, headers=key).content == repeat.content
    assert listed(client, board) == [repeat.json()]
    assert [event["data"] for event in events(stack, board)] == [repeat.json()]


def test_a_write_without_a_key_is_never_sent_twice_to_a_frozen_redis(
    stack: Stack, client: httpx.Client, board: str
) -> None:
    with frozen_redis(stack):
        problem(client.post("/api/notes", json={"text": "once or never", "board": board}), 503)
    last = wait_for(
        lambda: written(client.post("/api/notes", json={"text": "last", "board": board})), "a write"
    )
    notes = listed(client, board)
    assert notes[0] == last.json()
    # It may have been carried out, for nobody knows; and then the event tells of it.
    assert [note["text"] for note in notes[1:]] in ([], ["once or never"])
    assert [event["data"] for event in events(stack, board)] == notes[::-1]


def written(answer: httpx.Response) -> httpx.Response | None:
    """The answer, unless Redis is still away."""
    assert answer.status_code in (201, 503)
    return answer if answer.status_code == 201 else None


def test_a_write_is_one_call_to_redis_with_a_key_and_without(
    stack: Stack, client: httpx.Client, board: str, key: dict[str, str]
) -> None:
    def calls() -> int:
        found = re.search(r"cmdstat_fcall:calls=(\d+)", stack.redis_cli("INFO", "commandstats"))
        return int(found[1]) if found else 0

    client.post("/api/notes", json={"text": "first", "board": board})
    for headers in ({}, key, key):
        before = calls()
        answer = client.post("/api/notes", json={"text": "x", "board": board}, headers=headers)
        assert answer.status_code == 201
        assert calls() == before + 1
