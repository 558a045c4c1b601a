"""What the tests of the API say often."""

from __future__ import annotations

from typing import Any

import httpx

from tests.harness.clients import Socket
from tests.harness.stack import Stack

Note = dict[str, Any]


def create(client: httpx.Client, board: str, text: str = "a note", **more: Any) -> Note:
    """Writes a note."""
    answer = client.post("/api/notes", json={"board": board, "text": text, **more})
    assert answer.status_code == 201, answer.text
    note: Note = answer.json()
    return note


def listed(client: httpx.Client, board: str, **query: Any) -> list[Note]:
    """All notes of a board that fit the query, from as many pages as there are, newest first."""
    found: list[Note] = []
    page = ""
    while page is not None:
        answer = client.get("/api/notes", params={"board": board, "limit": 200, "page": page, **query})
        assert answer.status_code == 200, answer.text
        found += answer.json()["notes"]
        page = answer.json()["next"]
    return found


def events(stack: Stack, board: str, since: str = "0-0") -> list[dict[str, Any]]:
    """All events of a board from a cursor on until now."""
    topic = f"board:{board}"
    with Socket(stack, topic=topic) as socket:
        end = socket.expect("subscribed")["cursor"]
    found: list[dict[str, Any]] = []
    with Socket(stack, topic=topic, since=since) as socket:
        begun = socket.expect("subscribed")
        assert begun["recovered"] is True
        last = begun["cursor"]
        while last != end:
            found.append(socket.expect("event"))
            last = found[-1]["id"]
    return found


def problem(response: httpx.Response, status: int) -> dict[str, Any]:
    """The problem document that the response is; nothing of how the app is made shows in it."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    assert response.headers["cache-control"] == "no-store"
    document: dict[str, Any] = response.json()
    assert document["type"] == "about:blank"
    assert document["status"] == status
    assert document["title"]
    assert document["detail"]
    assert document["request_id"] == response.headers["x-request-id"]
    assert ("errors" in document) == (status == 422)
    for clue in ("Traceback", ".py", "redis", "pydantic", "werkzeug"):
        assert clue not in response.text
    return document


def wrong_fields(response: httpx.Response) -> set[str]:
    """The fields that a 422 complains about."""
    errors = problem(response, 422)["errors"]
    assert all(error.keys() == {"field", "detail"} and error["detail"] for error in errors)
    return {error["field"] for error in errors}
