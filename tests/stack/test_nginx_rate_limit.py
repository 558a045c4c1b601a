"""One client cannot write more than its share; reading, and everybody else, is not touched."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator

import pytest

from tests.harness.clients import http, wait_for
from tests.harness.local import LocalStack


@pytest.fixture(scope="module")
def limited() -> Iterator[LocalStack]:
    with LocalStack({"RATE_LIMIT": "2"}) as stack:
        yield stack


def test_more_writes_than_allowed_are_told_when_to_come_back(limited: LocalStack) -> None:
    with http(limited) as client:
        note = {"text": "again"}
        begun = time.monotonic()
        answers = [client.post("/api/notes", json=note) for _ in range(30)]
        while answers[-1].status_code == 201 and len(answers) < 300:
            answers.append(client.post("/api/notes", json=note))
        allowed = 2 * (time.monotonic() - begun)
        accepted = [answer for answer in answers if answer.status_code == 201]
        # One, a burst of four seconds' worth, and what the time allowed.
        assert 8 <= len(accepted) <= 1 + 8 + allowed + 1
        refused = answers[-1]
        assert refused.status_code == 429
        assert refused.headers["Content-Type"] == "application/problem+json"
        assert int(refused.headers["Retry-After"]) > 0
        assert refused.json()["status"] == 429
        assert refused.json()["request_id"] == refused.headers["X-Request-Id"]
        assert {client.get("/api/notes").status_code for _ in range(30)} == {200}
        wait_for(lambda: client.post("/api/notes", json=note).status_code == 201, "allowed again")


def test_pictures_are_as_limited_as_searches(limited: LocalStack) -> None:
    with http(limited) as client:
        found = [client.get(f"/api/boards/b{number}/qr.svg").status_code for number in range(30)]
        assert found[0] == 200
        assert 429 in found
        assert client.get("/api/boards/b1").status_code == 200


def test_reads_have_a_larger_limit_of_their_own_and_static_files_none(limited: LocalStack) -> None:
    with http(limited) as client:
        statuses = [client.get("/api/notes").status_code]
        script = re.findall(r'"(/static/[^"]+)"', client.get("/").text)[0]
        begun = time.monotonic()
        while statuses[-1] == 200 and len(statuses) < 3000:
            statuses.append(client.head("/api/notes").status_code)
        # A burst of four seconds' worth, and what the time allowed; less what the other test took.
        assert 20 <= len(statuses) <= 2 + 80 + 20 * (time.monotonic() - begun) + 1
        assert statuses[-1] == 429
        assert {client.get(script).status_code for _ in range(30)} == {200}
        assert {client.get("/ws/healthz").status_code for _ in range(30)} == {200}


@pytest.mark.parametrize("limit", ["fast", "999999"])
def test_an_invalid_limit_stops_the_start_with_one_line(limit: str) -> None:
    stack = LocalStack({"RATE_LIMIT": limit})
    try:
        result = stack.run("up", check=False)
    finally:
        stack.stop()
    assert result.returncode != 0
    (line,) = result.stderr.strip().splitlines()
    assert line.startswith("RATE_LIMIT is invalid: expected a whole number from 0 to 100000")
    assert repr(limit) in line
