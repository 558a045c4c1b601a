"""What a client may get wrong, and that the answer says what to do: never a 500, nothing written."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from tests.harness.api import create, listed, problem, wrong_fields
from tests.harness.stack import Stack

JSON = {"Content-Type": "application/json"}
NO_JSON = [
    b"", b" ", b"{", b'{"text": "x"', b"{'text': 'x'}", b'{"text": "x",}', b'{"text": NaN1}', b"\xff\xfe",
    b'{"text": "\xff"}', b'\xef\xbb\xbf{"text": "x"}', '{"text": "x"}'.encode("utf-16"),
    rb'{"text": "\ud800"}', b"text=x", b"[" * 60_000, b'{"text": "a\nb"}',
]  # fmt: skip

WRONG_VALUES: list[tuple[str, Any]] = [
    ("text", None), ("text", ""), ("text", " \n\t\u3000"), ("text", "x" * 2001), ("text", "🦄" * 2001),
    ("text", "a\0b"), ("text", 1), ("text", ["a"]), ("text", {}), ("text", True),
    ("color", None), ("color", "red"), ("color", "Plum"), ("color", ""), ("color", 1), ("color", ["plum"]),
    ("done", None), ("done", "true"), ("done", 1), ("done", 0), ("done", "yes"),
    ("author", None), ("author", ""), ("author", " \u3000"), ("author", "x" * 41), ("author", 1),
    ("author", "Ada\n"), ("author", "a\x1bb"), ("author", "a\x85b"), ("author", "a\u202eb"),
    ("author", "a\u2066b"), ("author", "\u200bAda"),
    ("colour", "plum"), ("id", "x"), ("version", 1), ("created_at", "2020-01-01T00:00:00Z"), ("", 1),
    ("x" * 300, 1),
]  # fmt: skip
WRONG_BOARDS = ["", "A", "a b", "ä", "a" * 65, "a\n", "a/b", "{a}", "a.b", "a_b", None, 1]

# What the app refuses before it asks Redis is one and the same in containers.
LOCAL = pytest.mark.parametrize("stack", ["local"], indirect=True)


def label(value: Any) -> str:
    return repr(value)[:24].encode("unicode_escape").decode()


@LOCAL
@pytest.mark.parametrize(("field", "value"), WRONG_VALUES, ids=label)
def test_a_wrong_field_is_named_and_nothing_is_written(
    client: httpx.Client, board: str, field: str, value: Any
) -> None:
    note = create(client, board)
    new = client.post("/api/notes", json={"text": "x", "board": board, field: value})
    changed = client.patch(f"/api/notes/{note['id']}", json={"done": True, field: value})
    assert wrong_fields(new) == wrong_fields(changed) == {field}
    assert listed(client, board) == [note]


@LOCAL
@pytest.mark.parametrize("value", WRONG_BOARDS, ids=label)
def test_a_wrong_board_is_named(client: httpx.Client, value: Any) -> None:
    assert wrong_fields(client.post("/api/notes", json={"text": "x", "board": value})) == {"board"}


def test_the_board_of_a_note_does_not_change(client: httpx.Client, board: str) -> None:
    address = f"/api/notes/{create(client, board)['id']}"
    assert wrong_fields(client.patch(address, json={"board": "main"})) == {"board"}


def test_all_wrong_fields_are_named_at_once(client: httpx.Client) -> None:
    answer = client.post("/api/notes", json={"text": "", "board": "A", "color": "red", "done": 1, "more": 1})
    assert wrong_fields(answer) == {"text", "board", "color", "done", "more"}


@LOCAL
@pytest.mark.parametrize("body", [[], "text", 1, True, [{"text": "x"}]], ids=label)
def test_a_body_that_is_no_object_is_a_422(client: httpx.Client, board: str, body: Any) -> None:
    address = f"/api/notes/{create(client, board)['id']}"
    for answer in (client.post("/api/notes", json=body), client.patch(address, json=body)):
        assert wrong_fields(answer) == {"body"}


@pytest.mark.parametrize(
    ("path", "field", "values"),
    [
        ("/api/notes", "limit", ["0", "201", "-1", "1.5", "x", "٣", "1e2", " 1", "9" * 40]),
        ("/api/notes", "page", ["0", "-1", "x", "9" * 16, "1.0", "+1"]),
        ("/api/notes", "done", ["1", "yes", "True", "null"]),
        ("/api/notes", "q", ["x" * 201, "a\0b"]),
        ("/api/notes", "board", WRONG_BOARDS[1:-2]),
        ("/api/notes", "sort", ["text"]),
        ("/api/notes/export", "board", WRONG_BOARDS[1:-2]),
        ("/api/notes/export", "limit", ["1"]),
    ],
    ids=label,
)
def test_a_wrong_query_parameter_is_named(
    client: httpx.Client, path: str, field: str, values: list[str]
) -> None:
    for value in values:
        assert wrong_fields(client.get(path, params={field: value})) == {field}, value


def test_empty_query_parameters_count_as_absent(client: httpx.Client) -> None:
    empty = client.get("/api/notes?board=&q=&done=&limit=&page=")
    assert empty.json() == client.get("/api/notes").json()


@LOCAL
@pytest.mark.parametrize("body", NO_JSON, ids=label)
def test_what_is_no_json_is_a_400(client: httpx.Client, board: str, body: bytes) -> None:
    address = f"/api/notes/{create(client, board)['id']}"
    problem(client.post("/api/notes", content=body, headers=JSON), 400)
    problem(client.patch(address, content=body, headers=JSON), 400)


@pytest.mark.parametrize(
    "content_type", [None, "", "text/plain", "application/x-www-form-urlencoded", "text/json", "json"]
)
def test_a_body_that_is_not_sent_as_json_is_a_415(
    client: httpx.Client, board: str, content_type: str | None
) -> None:
    address = f"/api/notes/{create(client, board)['id']}"
    headers = {} if content_type is None else {"Content-Type": content_type}
    body = json.dumps({"text": "x"}).encode()
    problem(client.post("/api/notes", content=body, headers=headers), 415)
    problem(client.patch(address, content=body, headers=headers), 415)


@pytest.mark.parametrize(
    "content_type", ["application/json; charset=utf-8", "Application/JSON", "application/json ;x=y"]
)
def test_the_content_type_may_be_spelled_in_any_way(
    client: httpx.Client, board: str, content_type: str
) -> None:
    body = json.dumps({"text": "x", "board": board}).encode()
    answer = client.post("/api/notes", content=body, headers={"Content-Type": content_type})
    assert answer.status_code == 201


@pytest.mark.parametrize(("size", "status"), [(65_536, 201), (65_537, 413)])
@pytest.mark.parametrize("chunked", [False, True], ids=["sized", "chunked"])
def test_a_body_has_at_most_64_kib(
    client: httpx.Client, board: str, size: int, status: int, chunked: bool
) -> None:
    body = json.dumps({"text": "x", "board": board}).encode().ljust(size)
    content = iter([body[:40_000], body[40_000:]]) if chunked else body
    answer = client.post("/api/notes", content=content, headers=JSON)
    assert answer.status_code == status
    assert len(listed(client, board)) == (status == 201)
    if status == 413:
        problem(answer, 413)


def test_what_is_not_there_is_a_404_problem(client: httpx.Client) -> None:
    for path in (
        "/nowhere",
        "/api",
        "/api/",
        "/api/nowhere",
        "/api/notes/",
        "/b/",
        "/b/a_b",
        "/b/a%0a",
        "/docs/",
    ):
        problem(client.get(path), 404)


def test_a_browser_gets_a_page_and_a_program_a_problem(client: httpx.Client) -> None:
    browser = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}
    for method, path, status in (("GET", "/b/a_b", 404), ("POST", "/", 405)):
        page = client.request(method, path, headers=browser)
        assert (page.status_code, page.headers["Content-Type"]) == (status, "text/html; charset=utf-8")
        assert "Go to the wall" in page.text
        problem(client.request(method, path), status)
        problem(client.request(method, path, headers={"Accept": "application/json, text/html;q=0.5"}), status)


def test_capitals_in_the_address_of_a_board_lead_to_the_board(client: httpx.Client) -> None:
    answer = client.get("/b/Kitchen")
    assert (answer.status_code, answer.headers["Location"]) == (308, "/b/kitchen")


def test_an_address_of_8_kib_and_a_thousand_headers_are_read(client: httpx.Client) -> None:
    assert wrong_fields(client.get("/api/notes", params={"q": "x" * 8_000})) == {"q"}
    problem(client.get("/api/notes", params={"q": "x" * 8_200}), 414)
    many = {f"X-{number}": "x" for number in range(900)}
    assert client.get("/api/notes", headers=many).status_code == 200


def test_no_mistake_of_a_client_is_logged_as_ours(stack: Stack) -> None:
    assert "unexpected error" not in stack.logs("wsgi")
