"""The app under load. For your own app, change this file and no other."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from loadtest import http

# Sent with every request and subscription: {"Authorization": "Bearer ..."} if topics need a ticket.
HEADERS: dict[str, str] = {}
# Answered with a 200 and JSON once the app and the sidecar are ready.
READY = ("/readyz", "/ws/readyz")


@dataclass(frozen=True)
class Request:
    """One HTTP request. `name` is its line in the report; without ids, so that all are one line."""

    method: str
    path: str
    name: str
    json: dict[str, Any] | None = None


def room(number: int) -> str:
    """The name of a room; the users are spread over the rooms."""
    return f"load-{number}"


def topic(room: str) -> str:
    """The topic that a room's listeners subscribe to."""
    return f"board:{room}"


def listing(room: str) -> Request:
    """The read that comes first."""
    return Request("GET", f"/api/notes?board={room}", "/api/notes")


def quiet_listing() -> Request:
    """A list that never changes, for conditional requests."""
    return Request("GET", "/api/notes?board=load-quiet", "/api/notes")


def searching(room: str) -> Request:
    """A read that no cache can answer."""
    return Request("GET", f"/api/notes?board={room}&q={quote(random.choice(WORDS))}", "/api/notes?q=")


def creating(room: str) -> Request:
    """A write that causes an event. The event's `request_id` must be the request's X-Request-Id."""
    text = " ".join(random.choices(WORDS, k=12))
    return Request("POST", "/api/notes", "/api/notes", {"board": room, "text": text})


def changing(answer: dict[str, Any]) -> Request:
    """A change of what `creating` created; `answer` is its answer."""
    return Request("PATCH", f"/api/notes/{answer['id']}", "/api/notes/ID", {"done": not answer["done"]})


def removing(answer: dict[str, Any]) -> Request:
    """Its removal: a load test leaves nothing behind."""
    return Request("DELETE", f"/api/notes/{answer['id']}", "/api/notes/ID")


def position(host: str, room: str) -> str | None:
    """The topic's current cursor, which each listener must reach at the end; None leaves this check out.

    Raises:
        OSError: there is no answer, or not a 200.
    """
    cursor: str = http.get_json(host, f"/api/notes?board={room}&limit=1", HEADERS)["cursor"]
    return cursor


WORDS = ["bread", "call", "chair", "cork", "desk", "ink", "lamp", "note", "paint", "string", "tea", "wall"]
