"""Step 5: what a framework does for a view."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from urllib.parse import urlsplit

import httpx
import pytest

from tests.harness.clients import wait_for
from tests.harness.examples import Server, serving

JSON = {"Content-Type": "application/json"}


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with serving("step5_tasks_raw") as running:
        yield running
        assert "Traceback" not in running.output()


@pytest.fixture
def client(server: Server) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=server.url, trust_env=False, timeout=30) as client:
        yield client


def test_a_task_is_kept_and_found_by_its_words(client: httpx.Client) -> None:
    created = client.post("/tasks", json={"title": "  Größe messen "})
    assert created.status_code == 201
    assert created.json()["title"] == "Größe messen"
    assert client.get(created.headers["location"]).json() == created.json()
    client.post("/tasks", json={"title": "something else"})
    assert client.get("/tasks", params={"q": "GRÖSSE"}).json() == [created.json()]
    assert client.get("/tasks?q=nothing").json() == []
    assert len(client.get("/tasks").json()) >= 2


def test_a_body_may_come_in_pieces(client: httpx.Client) -> None:
    pieces = (piece.encode() for piece in ('{"title"', ': "in p', 'ieces"}'))
    assert client.post("/tasks", content=pieces, headers=JSON).json()["title"] == "in pieces"


@pytest.mark.parametrize(
    "body", [b"", b"{", b'"\xff"', b"[" * 60_000, b"[]", b"{}", b'{"title": 1}', b'{"title": " "}']
)
def test_a_body_that_is_no_task_is_a_400(client: httpx.Client, body: bytes) -> None:
    answer = client.post("/tasks", content=body, headers=JSON)
    assert answer.status_code == 400, answer.text
    assert answer.json()["detail"]


def test_a_body_that_does_not_say_json_is_a_415(client: httpx.Client) -> None:
    assert client.post("/tasks", content=b'{"title": "x"}').status_code == 415
    assert client.post("/tasks", data={"title": "x"}).status_code == 415
    assert client.post("/tasks", content=b'{"title": "x"}', headers=JSON).status_code == 201


def test_a_body_without_end_is_a_413(client: httpx.Client) -> None:
    assert client.post("/tasks", content=b" " * 100_000, headers=JSON).status_code == 413


@pytest.mark.parametrize(
    "path", ["/", "/tasks/", "/tasks/999999", "/tasks/x", "/tasks/٣", f"/tasks/{'9' * 5000}"]
)
def test_what_is_not_there_is_a_404(client: httpx.Client, path: str) -> None:
    assert client.get(path).status_code == 404


def test_a_wrong_method_is_a_405_that_says_the_right_ones(client: httpx.Client) -> None:
    answer = client.delete("/tasks")
    assert answer.status_code == 405
    assert answer.headers["allow"] == "GET, POST"


def test_who_watches_gets_each_task_as_it_comes_and_is_noticed_to_leave(
    server: Server, client: httpx.Client
) -> None:
    kept = len(client.get("/tasks").json())
    with (
        httpx.Client(base_url=server.url, trust_env=False, timeout=30) as other,
        other.stream("GET", "/tasks/live") as live,
    ):
        lines = live.iter_lines()
        for _ in range(kept):
            next(lines)
        task = client.post("/tasks", json={"title": "live"}).json()
        assert httpx.Response(200, text=next(lines)).json() == task
        assert "still watching" not in server.output()
    wait_for(
        lambda: "a client left, 0 still watching" in server.output(),
        "the server notices that the client left",
    )


def test_a_client_that_leaves_in_the_middle_of_its_body_leaves_nothing_behind(
    server: Server, client: httpx.Client
) -> None:
    before = client.get("/tasks").json()
    address = urlsplit(server.url)
    with socket.create_connection((str(address.hostname), int(address.port or 0))) as half:
        half.sendall(
            b"POST /tasks HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
            b"Content-Length: 99\r\n\r\n{"
        )
    assert client.get("/tasks").json() == before
