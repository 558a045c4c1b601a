"""Boards have titles in any language: set, read, told, never by mistake. And pictures of their addresses."""

from __future__ import annotations

import json
import re
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest
import segno

from tests.harness.api import create, events, problem, wrong_fields
from tests.harness.clients import http, wait_for
from tests.harness.stack import Stack

TITLES = {
    "umlauts": "Küche & Bad",
    "right to left": "לוח המודעות של עמית",
    "emoji": "🏳\ufe0f\u200d🌈 👩\u200d👩\u200d👧 Team",
    "markup": """<script>alert("x")</script> '&amp;'""",
    # With the white space that is sent around it, 80.
    "as many as there may be": "🦄" * 77,
}
# What hides, breaks the line, or turns the text around it.
WRONG = [
    "a\0b",
    "a\nb",
    "\ttab",
    "a\x7f",
    "a\x85",
    "a\u2028b",
    "\u202egnp.exe",
    "a\u2066b",
    "x" * 81,
    None,
    1,
    ["a"],
]


def rename(client: httpx.Client, board: str, title: Any, **headers: str) -> httpx.Response:
    return client.patch(f"/api/boards/{board}", json={"title": title}, headers=headers)


@pytest.mark.parametrize("title", TITLES.values(), ids=TITLES)
def test_a_title_is_what_everybody_gets_everywhere(
    stack: Stack, client: httpx.Client, board: str, title: str
) -> None:
    address = f"/api/boards/{board}"
    before = client.get(address)
    assert (before.json(), before.headers["etag"]) == ({"slug": board, "title": "", "version": 0}, '"0"')
    note = create(client, board)
    answer = rename(client, board, f"  {title}\u3000")
    after = {"slug": board, "title": title, "version": 1}
    assert (answer.status_code, answer.json(), answer.headers["etag"]) == (200, after, '"1"')
    known = client.get(address)
    assert known.json() == after
    assert client.get(address, headers={"If-None-Match": known.headers["etag"]}).status_code == 304
    told = events(stack, board)[-1]
    assert (told["type"], told["data"]) == ("board.updated", after)
    assert told["request_id"] == answer.headers["x-request-id"]
    page = client.get("/api/notes", params={"board": board}).json()
    assert (page["board"], page["cursor"], page["notes"]) == (after, told["id"], [note])

    # What nginx answers everybody with is as new as its cursor says, and soon replaced.
    def shared() -> bool:
        kept = client.get(f"/api/notes?board={board}&shared=1").json()
        assert (kept["board"] == after) == (kept["cursor"] == told["id"])
        return bool(kept["board"] == after)

    wait_for(shared, "the title in the shared list", 6)
    escaped = title.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    escaped = escaped.replace('"', "&#34;").replace("'", "&#39;")
    wait_for(lambda: f"<title>{escaped} · Corkboard</title>" in client.get(f"/b/{board}").text, "the page", 6)


def test_a_title_that_is_there_already_is_not_told_again_whoever_repeats_it(
    stack: Stack, client: httpx.Client, board: str
) -> None:
    first = rename(client, board, "Soup", **{"If-Match": '"0"'})
    assert first.status_code == 200
    # As a client does that has lost the answer.
    again = rename(client, board, "Soup", **{"If-Match": '"0"'})
    assert (again.status_code, again.json()) == (200, first.json())
    assert len(events(stack, board)) == 1
    # Nothing at all, and what nobody could see, take it away.
    for number, nothing in enumerate(("", " \u200d\u3000"), 2):
        assert rename(client, board, nothing).json() == {
            "slug": board,
            "title": "",
            "version": 2 * number - 2,
        }
        assert rename(client, board, "Soup").json()["version"] == 2 * number - 1


def test_of_two_who_change_a_title_at_once_one_is_told(
    stack: Stack, client: httpx.Client, board: str
) -> None:
    tag = client.get(f"/api/boards/{board}").headers["etag"]

    def change(number: int) -> int:
        with http(stack) as own:
            return rename(own, board, f"Title {number}", **{"If-Match": tag}).status_code

    with ThreadPoolExecutor(4) as pool:
        assert sorted(pool.map(change, range(4))) == [200, 412, 412, 412]
    refused = rename(client, board, "Mine", **{"If-Match": tag})
    problem(refused, 412)
    assert refused.headers["etag"] == '"1"'
    for wrong in ('"2"', '"x"', "x", '""'):
        problem(rename(client, board, "Mine", **{"If-Match": wrong}), 412)
    assert rename(client, board, "Mine", **{"If-Match": '"1"'}).json()["version"] == 2
    assert len(events(stack, board)) == 2


def test_mistakes_are_named_and_nothing_is_written(stack: Stack, client: httpx.Client, board: str) -> None:
    address = f"/api/boards/{board}"
    for wrong in WRONG:
        assert wrong_fields(rename(client, board, wrong)) == {"title"}, wrong
    assert wrong_fields(client.patch(address, json={})) == {"title"}
    assert wrong_fields(client.patch(address, json={"title": "x", "slug": "y"})) == {"slug"}
    problem(client.patch(address, content=b"{", headers={"Content-Type": "application/json"}), 400)
    # What a form of another site can send.
    for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"):
        body = json.dumps({"title": "x"}).encode()
        problem(client.patch(address, content=body, headers={"Content-Type": kind}), 415)
    for method in ("POST", "PUT", "DELETE"):
        assert "PATCH" in client.request(method, address, json={"title": "x"}).headers["allow"]
    for name in ("A", "a_b", "a" * 65, "%C3%A4"):
        problem(client.get(f"/api/boards/{name}"), 404)
    assert events(stack, board) == []
    assert client.get(address).json()["version"] == 0


def test_the_picture_of_an_address_says_where_it_was_asked_for(client: httpx.Client, board: str) -> None:
    answer = client.get(f"/api/boards/{board}/qr.svg")
    assert answer.headers["content-type"] == "image/svg+xml"
    # Nothing in it that the CSP would stop.
    assert not re.search(r"style|script|href", answer.text)
    expected = segno.make(f"{client.base_url}/b/{board}", micro=False)
    path = re.search(r'stroke="#000" d="([^"]+)"', answer.text)
    assert path
    assert drawn(path[1]) == {
        (x, y) for y, row in enumerate(expected.matrix) for x, dark in enumerate(row) if dark
    }


def drawn(path: str) -> set[tuple[int, int]]:
    """The dark squares of a path of horizontal strokes, without the margin of four."""
    found: set[tuple[int, int]] = set()
    x, y = 0.0, 0.0
    for command, words in re.findall(r"([Mmh])([^Mmh]*)", path):
        numbers = [float(word) for word in re.findall(r"-?[\d.]+", words)]
        if command == "h":
            found |= {(int(x) + step - 4, int(y) - 4) for step in range(int(numbers[0]))}
            x += numbers[0]
        else:
            x, y = numbers if command == "M" else (x + numbers[0], y + numbers[1])
    return found
