"""One note: written, read, changed, deleted, and never by mistake."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from tests.harness.api import create, events, listed, problem, wrong_fields
from tests.harness.stack import Stack

COLORS = {"khaki", "lightblue", "lightgreen", "lightsalmon", "plum"}
TEXTS = {
    "emoji": "🦄👩\u200d👩\u200d👧🏳\ufe0f\u200d🌈",
    "right to left": "שלום עולם \u202eabc\u202c",
    "combining": "e\u0301 \u0915\u094d\u0937 Z\u0351\u036b\u0343\u036a",
    "line separators": "a\u2028b\u2029c",
    "byte order mark": "\ufeffx\ufffe",
    "control": "\x01\x7f\x85x",
    "white space": "tab\tline\r\nend",
    "markup": 'quo"te \\ back / <b>&amp;',
    "edges": "\ud7ff\ue000\uffff\U0010ffff",
    "2000 wide": "你" * 2000,
    "2000 astral": "🦄" * 2000,
}
RFC_3339_UTC = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")


def test_a_new_note_is_complete_and_found_at_its_location(client: httpx.Client, board: str) -> None:
    answer = client.post("/api/notes", json={"text": "  soup  ", "board": board})
    assert answer.status_code == 201
    note = answer.json()
    assert note.keys() == {
        "id", "board", "text", "color", "position", "done", "version", "created_at", "updated_at",
    }  # fmt: skip
    assert (note["board"], note["text"], note["done"], note["version"]) == (board, "soup", False, 1)
    assert note["color"] in COLORS
    assert RFC_3339_UTC.fullmatch(note["created_at"])
    age = datetime.now(UTC) - datetime.fromisoformat(note["created_at"])
    assert abs(age) < timedelta(minutes=1)
    assert note["updated_at"] == note["created_at"]
    assert answer.headers["etag"] == '"1"'
    found = client.get(answer.headers["location"])
    assert found.json() == note
    assert found.headers["etag"] == '"1"'


def test_the_board_is_main_when_absent(client: httpx.Client) -> None:
    note = client.post("/api/notes", json={"text": "on main"}).json()
    assert note["board"] == "main"
    assert client.delete(f"/api/notes/{note['id']}").status_code == 200


def test_no_colour_means_any_of_them(client: httpx.Client, board: str) -> None:
    found: set[str] = set()
    for _ in range(300):
        found.add(create(client, board)["color"])
        if found == COLORS:
            break
    assert found == COLORS


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_any_text_is_kept_as_it_is_everywhere(
    stack: Stack, client: httpx.Client, board: str, text: str
) -> None:
    note = create(client, board, text)
    assert note["text"] == text
    assert client.get(f"/api/notes/{note['id']}").json() == note
    assert listed(client, board) == [note]
    assert [event["data"] for event in events(stack, board)] == [note]
    changed = client.patch(f"/api/notes/{note['id']}", json={"done": True}).json()
    assert changed["text"] == text


@pytest.mark.parametrize(
    "author", ["Ada", "שלום", "👩\u200d🚀 Zoë", '"done":true,"version":7,', "<b>&\\"], ids=ascii
)
def test_who_wrote_a_note_is_kept_as_it_is_said_whoever_changes_it(
    stack: Stack, client: httpx.Client, board: str, author: str
) -> None:
    note = create(client, board, author=f" {author}\u3000")
    assert note["author"] == author
    assert "author" not in create(client, board)
    address = f"/api/notes/{note['id']}"
    changed = client.patch(address, json={"color": "plum"}, headers={"If-Match": '"1"'}).json()
    assert changed["author"] == author
    client.delete(address)
    assert [one["data"].get("author") for one in events(stack, board)] == [author, None, author, author]
    assert client.post(f"{address}/restore").json()["author"] == author
    assert listed(client, board, done=True) == []
    exported = client.get("/api/notes/export", params={"board": board}).text.splitlines()
    assert [json.loads(line).get("author") for line in exported] == [None, author]


@pytest.mark.parametrize(
    "change",
    [{"text": "two"}, {"color": "plum"}, {"done": True}, {"text": "x", "color": "khaki", "done": True}],
    ids=str,
)
def test_a_change_changes_what_it_names_and_raises_the_version(
    stack: Stack, client: httpx.Client, board: str, change: dict[str, Any]
) -> None:
    before = create(client, board, "one", color="lightblue")
    answer = client.patch(f"/api/notes/{before['id']}", json=change)
    assert answer.status_code == 200
    after = answer.json()
    assert after == {**before, **change, "version": 2, "updated_at": after["updated_at"]}
    assert after["updated_at"] >= before["updated_at"]
    assert answer.headers["etag"] == '"2"'
    assert client.get(f"/api/notes/{before['id']}").json() == after
    assert [(one["type"], one["data"]) for one in events(stack, board)] == [
        ("note.created", before),
        ("note.updated", after),
    ]


def test_a_deleted_note_is_answered_once_more_and_then_gone(
    stack: Stack, client: httpx.Client, board: str
) -> None:
    note = create(client, board)
    address = f"/api/notes/{note['id']}"
    answer = client.delete(address)
    assert answer.status_code == 200
    assert answer.json() == note
    assert events(stack, board)[-1]["type"] == "note.deleted"
    assert events(stack, board)[-1]["data"] == note
    for gone in (client.get(address), client.patch(address, json={"done": True}), client.delete(address)):
        problem(gone, 404)
    assert listed(client, board) == []
    assert len(events(stack, board)) == 2


@pytest.mark.parametrize("tag", ['"1"', 'W/"1"', '"7", "1"', "*"])
def test_a_write_happens_when_if_match_fits(client: httpx.Client, board: str, tag: str) -> None:
    address = f"/api/notes/{create(client, board)['id']}"
    answer = client.patch(address, json={"done": True}, headers={"If-Match": tag})
    assert answer.status_code == 200
    assert client.delete(address, headers={"If-Match": tag.replace("1", "2")}).status_code == 200


@pytest.mark.parametrize(
    "tag",
    ['"2"', 'W/"2"', '"01"', '""', "", '"x"', "x", f'"{"9" * 5000}"', '"1.0"', '"٢"'],
    ids=lambda tag: tag[:9],
)
def test_nothing_is_written_when_if_match_does_not_fit(
    stack: Stack, client: httpx.Client, board: str, tag: str
) -> None:
    note = create(client, board)
    address = f"/api/notes/{note['id']}"
    headers = {b"If-Match": tag.encode()}
    for answer in (
        client.patch(address, json={"done": True}, headers=headers),
        client.delete(address, headers=headers),
    ):
        problem(answer, 412)
        assert answer.headers["etag"] == '"1"'
    assert client.get(address).json() == note
    assert len(events(stack, board)) == 1


@pytest.mark.parametrize(
    ("tag", "status"), [('"1"', 304), ('W/"1"', 304), ("*", 304), ('"0", "1"', 304), ('"2"', 200)]
)
def test_a_note_that_is_known_is_not_sent_again(
    client: httpx.Client, board: str, tag: str, status: int
) -> None:
    answer = client.get(f"/api/notes/{create(client, board)['id']}", headers={"If-None-Match": tag})
    assert answer.status_code == status
    assert answer.headers["etag"] == '"1"'
    assert bool(answer.content) == (status == 200)


@pytest.mark.parametrize(
    "path", ["/api/notes", "/api/notes/{id}", "/api/notes/export", "/api/openapi.json", "/docs", "/"]
)
def test_head_says_what_get_says_without_the_body(client: httpx.Client, board: str, path: str) -> None:
    path = path.replace("{id}", create(client, board)["id"])
    headers = {"Accept-Encoding": "identity", "X-Request-Id": "head-and-get"}
    got, head = client.get(path, headers=headers), client.head(path, headers=headers)
    assert head.status_code == 200
    assert head.content == b""
    for response in (got, head):
        response.headers.pop("date")
        response.headers.pop("transfer-encoding", None)  # of a body that HEAD has not
    assert head.headers == got.headers


@pytest.mark.parametrize(
    ("path", "methods"),
    [
        ("/api/notes", {"GET", "HEAD", "OPTIONS", "POST"}),
        ("/api/notes/main.0123456789abcdef", {"GET", "HEAD", "OPTIONS", "PATCH", "DELETE"}),
        ("/api/notes/main.0123456789abcdef/restore", {"POST", "OPTIONS"}),
        ("/api/notes/export", {"GET", "HEAD", "OPTIONS"}),
        ("/api/tickets", {"POST", "OPTIONS"}),
        ("/api/openapi.json", {"GET", "HEAD", "OPTIONS"}),
        ("/docs", {"GET", "HEAD", "OPTIONS"}),
    ],
)
def test_options_and_405_name_the_allowed_methods(client: httpx.Client, path: str, methods: set[str]) -> None:
    def allowed(answer: httpx.Response) -> set[str]:
        return set(answer.headers["allow"].split(", "))

    options = client.options(path)
    assert options.status_code == 200
    assert allowed(options) == methods
    for method in {"GET", "POST", "PUT", "PATCH", "DELETE"} - methods:
        refused = client.request(method, path)
        problem(refused, 405)
        assert allowed(refused) == methods


def test_what_is_no_note_is_a_404(client: httpx.Client) -> None:
    for board in ("main", "x" * 65, "%f0%9f%a6%84", "{main}", "Main", "%01"):
        problem(client.get(f"/api/notes/{board}.0123456789abcdef"), 404)
    for note_id in ("main", "main.", "main.0123456789ABCDEF", "main.0123456789abcdef%0a", "a/b", "x" * 4000):
        problem(client.get(f"/api/notes/{note_id}"), 404)


def test_a_change_of_nothing_is_refused(client: httpx.Client, board: str) -> None:
    note = create(client, board)
    assert wrong_fields(client.patch(f"/api/notes/{note['id']}", json={})) == {"body"}
    assert client.get(f"/api/notes/{note['id']}").json() == note


def test_an_event_carries_the_request_id_also_one_that_was_made_here(
    stack: Stack, client: httpx.Client, board: str
) -> None:
    note = {"text": "x", "board": board}
    given = [
        client.post("/api/notes", json=note, headers={"X-Request-Id": one}) for one in ("mine-0815", "no!")
    ]
    ids = [answer.headers["x-request-id"] for answer in given]
    assert ids[0] == "mine-0815"
    assert re.fullmatch("[0-9a-f]{32}", ids[1])
    assert [event["request_id"] for event in events(stack, board)] == ids
