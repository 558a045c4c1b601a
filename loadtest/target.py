"""What is under load. For an app of your own this is the file to change, and the only one."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from loadtest import http

# Sent with every request and every subscription: {"Authorization": "Bearer ..."} where topics need a ticket.
HEADERS: dict[str, str] = {}


@dataclass(frozen=True)
class Request:
    """One HTTP request. `name` is its line in the report, without ids, so that it is one line."""

    method: str
    path: str
    name: str
    json: dict[str, Any] | None = field(default=None)


def room(number: int) -> str:
    """The name of one of the rooms over which the users are spread."""
    return f"load-{number}"


def topic(room: str) -> str:
    """What its listeners subscribe to."""
    return f"board:{room}"


def listing(room: str) -> Request:
    """What everybody sees first."""
    return Request("GET", f"/api/notes?board={room}", "/api/notes")


def quiet_listing() -> Request:
    """A list that nobody changes."""
    return Request("GET", "/api/notes?board=load-quiet", "/api/notes")


def searching(room: str) -> Request:
    """A read that no cache answers."""
    return Request("GET", f"/api/notes?board={room}&q={quote(random.choice(WORDS))}", "/api/notes?q=")


def creating(room: str) -> Request:
    """The write that causes an event. Its X-Request-Id must come back as the event's `request_id`."""
    text = " ".join(random.choices(WORDS, k=12))
    return Request("POST", "/api/notes", "/api/notes", {"board": room, "text": text})


def changing(answer: dict[str, Any]) -> Request:
    """A change of what `creating` was answered."""
    return Request("PATCH", f"/api/notes/{answer['id']}", "/api/notes/ID", {"done": not answer["done"]})


def removing(answer: dict[str, Any]) -> Request:
    """Its end: what a load test wrote does not stay."""
    return Request("DELETE", f"/api/notes/{answer['id']}", "/api/notes/ID")


def position(host: str, room: str) -> str | None:
    """The topic's cursor right now, from a source other than its listeners: at the end each of them must
    get there. None, where the app cannot say it, leaves this check out.

    Raises:
        OSError: no answer, or not a good one.
    """
    cursor: str = http.get_json(host, f"/api/notes?board={room}&limit=1", HEADERS)["cursor"]
    return cursor


WORDS = ["bread", "call", "chair", "cork", "desk", "ink", "lamp", "note", "paint", "string", "tea", "wall"]
