"""The list with which a page begins: one answer for a crowd, as old as its cursor says, and nobody's own."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor

import httpx

from tests.harness.api import create
from tests.harness.clients import Socket, http, wait_for
from tests.harness.stack import Stack

CROWD = 40
SECONDS_OLD = 3


def shared(client: httpx.Client, board: str, **headers: str) -> httpx.Response:
    """The list as the page asks for it."""
    answer = client.get(f"/api/notes?board={board}&shared=1", headers=headers)
    assert answer.status_code == 200, answer.text
    return answer


def asked_of_flask(stack: Stack, board: str) -> int:
    """How many lists of a board Flask has made, by nginx' log."""
    lines = [
        json.loads(line) for line in stack.logs("nginx").splitlines() if f"board={board}&shared=1" in line
    ]
    return sum(bool(line["upstream"]) for line in lines)


def test_a_crowd_costs_flask_a_few_answers_and_everybody_gets_the_list(
    stack: Stack, client: httpx.Client, board: str
) -> None:
    note = create(client, board)

    def come(_number: int) -> object:
        with http(stack) as own:
            return shared(own, board).json()["notes"]

    with ThreadPoolExecutor(CROWD) as crowd:
        assert list(crowd.map(come, range(CROWD))) == [[note]] * CROWD
    wait_for(lambda: asked_of_flask(stack, board), "the log")
    assert asked_of_flask(stack, board) < CROWD / 2


def test_a_plain_list_is_exact_whatever_is_kept(client: httpx.Client, board: str) -> None:
    for number in range(5):
        create(client, board)
        kept = shared(client, board).json()
        create(client, board)
        for query in (f"board={board}", f"shared=1&board={board}", f"board={board}&limit=50&shared=1"):
            assert len(client.get(f"/api/notes?{query}").json()["notes"]) == 2 * number + 2
        assert len(kept["notes"]) <= 2 * number + 1


def test_who_subscribes_from_a_list_that_is_old_gets_the_rest(
    stack: Stack, client: httpx.Client, board: str
) -> None:
    create(client, board, "seen")
    shared(client, board)
    later = [create(client, board, f"later {number}") for number in range(3)]
    listed = shared(client, board).json()
    known = [note["text"] for note in listed["notes"]][::-1]
    with Socket(stack, topic=f"board:{board}", since=listed["cursor"]) as socket:
        assert socket.expect("subscribed")["recovered"] is True
        while known[-1] != later[-1]["text"]:
            known.append(socket.expect("event")["data"]["text"])
    assert known == ["seen", *(note["text"] for note in later)]


def test_what_is_kept_is_soon_replaced(client: httpx.Client, board: str) -> None:
    create(client, board)
    shared(client, board)
    note = create(client, board)
    wait_for(lambda: shared(client, board).json()["notes"][0] == note, "the new note", 2 * SECONDS_OLD)


def test_nothing_of_one_visitor_is_kept_for_another(client: httpx.Client, board: str) -> None:
    client.post("/api/tickets")
    assert client.cookies
    mine = shared(client, board, **{"X-Request-Id": "this-is-mine-1"})
    other = shared(client, board, Cookie="", **{"X-Request-Id": "this-is-mine-2"})
    assert mine.headers["x-request-id"] == "this-is-mine-1"
    assert other.headers["x-request-id"] == "this-is-mine-2"
    for answer in (mine, other, client.get(f"/b/{board}"), client.get("/")):
        assert "set-cookie" not in answer.headers
        assert "cookie" not in answer.headers.get("vary", "").lower()
        assert "max-age=0" in answer.headers["cache-control"]


def test_everybody_gets_what_they_can_unpack(stack: Stack, client: httpx.Client, board: str) -> None:
    note = create(client, board)
    with http(stack) as crowd:
        for encoding, answered in (("gzip, br", "gzip"), ("identity", None), ("br", None), ("gzip", "gzip")):
            answer = shared(crowd, board, **{"Accept-Encoding": encoding})
            assert answer.headers.get("content-encoding") == answered
            assert answer.json()["notes"] == [note]


def test_mistakes_are_not_kept(client: httpx.Client, board: str) -> None:
    for query in (f"board={board}&shared=2", f"board={board}&shared=1&shared=1&x=1", "board=A&shared=1"):
        assert client.get(f"/api/notes?{query}").status_code == 422
