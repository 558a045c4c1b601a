"""Notes in Redis. Each write and its event are one step; each list knows the position that it reflects."""

from __future__ import annotations

import hashlib
import json
import logging
import re
import secrets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import corkboard.settings
from corkboard import StoreUnavailable
from corkboard.publish import facts
from corkboard.store import LibraryBroken, Store, default
from wsgi_app.metrics import timed
from wsgi_app.notes.models import ListQuery, NewNote, NoteChanges
from wsgi_app.settings import Settings

log = logging.getLogger(__name__)

FUNCTIONS = tuple(
    Path(__file__).with_name(f"{name}.lua") for name in ("deleted", "places", "notes", "boards")
)
IDEMPOTENCY = "idem:{notes}"
BOARDS = "order:{boards}"
# The board is part of the id, so that an id alone leads to the note's topic.
NOTE_ID = re.compile(r"([a-z0-9-]{1,64})\.[0-9a-f]{16}")
EXPORT_NOTES = 50  # read at a time: 600 kB, when all are as long as they may be
# Version 2.0 writes notes without it. It is near the end, and in a JSON string a quote follows a backslash.
POSITION, POSITION_WITHIN = b',"position":"', -300
# `json.dumps` would make an encoder for each call.
_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
SEARCH_STEPS = 16  # calls of Redis before a search says what it has found so far


class NoSuchNote(Exception):
    """There is no note of this id, or no longer."""


class VersionConflict(Exception):
    """The note, or the board, is not at a version that the caller accepts."""

    def __init__(self, current: bytes) -> None:
        super().__init__("it has changed")
        self.current = current


class KeyReused(Exception):
    """The idempotency key came with another request before."""


class BoardFull(Exception):
    """The board, or the number of boards, is at its limit. `what` is board or boards."""

    def __init__(self, what: str) -> None:
        super().__init__(f"no room: {what}")
        self.what = what


@dataclass(frozen=True)
class Page:
    """Notes as JSON, in order; where the next page begins; the topic's position and the board then."""

    notes: list[bytes]
    next: str | None
    cursor: str
    board: bytes


def connect(settings: Settings) -> Store:
    """Redis with the functions of notes beside the kit's."""
    return Store(
        corkboard.settings.load().url,
        wait_replicas=corkboard.settings.load().wait_replicas,
        functions=FUNCTIONS,
        connections=settings.redis_connections(),
        observe=timed,
    )


def check(settings: Settings) -> None:
    """Loads the functions once before the first request; without Redis it says so and goes on.

    Raises:
        SystemExit: with one line, when Redis refuses them.
    """
    try:
        connect(settings).load()
    except LibraryBroken as error:
        raise SystemExit(str(error)) from None
    except StoreUnavailable as error:
        log.warning("%s; answering 503 until it does", error)


def topic_of(board: str) -> str:
    """The topic that carries the events of a board."""
    return f"board:{board}"


def create(
    new: NewNote,
    *,
    max_notes: int,
    max_boards: int,
    idempotency_key: str | None = None,
    client: str = "",
) -> bytes:
    """Writes a note and its event; returns the note as JSON.

    A repeat with the same key writes nothing and returns what the first call returned. Keys are kept for
    24 h, but at most 8 MiB for one `client`, which is an address: then its own oldest ones are forgotten.
    `max_notes` is what the board may hold, and `max_boards` how many boards there may be.

    Raises:
        BoardFull: there is no room for it.
        KeyReused: the key came with another body.
        StoreUnavailable: whether the note was written is unknown; repeat with the same key.
    """
    topic = topic_of(new.board)
    note = {"id": f"{new.board}.{secrets.token_hex(8)}", **new.model_dump()}
    if not new.author:
        del note["author"]
    if not new.position:
        del note["position"]
    # Nobody else has its id, so that it is the call's name, too.
    arguments: dict[str, Any] = {
        "call": note["id"], "type": "note.created", "note": note, "folded": new.text.casefold(),
    }  # fmt: skip
    arguments |= {"max_notes": max_notes, "max_boards": max_boards}
    keys = [BOARDS]
    if idempotency_key is not None:
        # As sent: a colour that we picked must not make a repeat look like another request.
        sent = json.dumps(new.model_dump(exclude_unset=True), sort_keys=True)
        arguments["idempotency_key"] = idempotency_key
        arguments["fingerprint"] = hashlib.sha256(sent.encode()).hexdigest()
        keys += [IDEMPOTENCY, f"{IDEMPOTENCY}:{client}"]
    return checked(_finish("note_create", topic, {**facts(), **arguments}, keys))


def get(note_id: str) -> bytes:
    """The note as JSON.

    Raises:
        NoSuchNote, StoreUnavailable
    """
    topic = _topic_of_note(note_id)
    (body,) = default().ask(("HGET", f"notes:{{{topic}}}", note_id))
    if body is None:
        raise NoSuchNote
    if POSITION in body[POSITION_WITHIN:]:
        found: bytes | None = body
    else:
        found = call("note_get", topic, {"id": note_id})
    if found is None:
        raise NoSuchNote
    return found


def update(note_id: str, changes: NoteChanges, versions: list[int] | None = None) -> bytes:
    """Changes a note, and returns it as JSON. `versions`: those that the caller accepts, None for any.

    Raises:
        NoSuchNote, VersionConflict, StoreUnavailable
    """
    arguments: dict[str, Any] = {"changes": changes}
    if "text" in changes:
        arguments["folded"] = changes["text"].casefold()
    return _write("note_update", "note.updated", note_id, versions, arguments)


def delete(note_id: str, versions: list[int] | None = None) -> bytes:
    """Deletes a note, and returns it as it was. `versions`: those that the caller accepts, None for any.

    Raises:
        NoSuchNote, VersionConflict, StoreUnavailable
    """
    return _write("note_delete", "note.deleted", note_id, versions, {}, [BOARDS])


def restore(note_id: str, *, max_notes: int, max_boards: int) -> bytes:
    """Takes a deletion back: the note hangs where it hung. Returns it as JSON, at its next version.

    A note that is there already is returned as it is. Of each board the last 100 deleted notes are kept, for
    an hour, and none of those deleted while Redis is full. `max_notes`, `max_boards`: as for `create`.

    Raises:
        NoSuchNote: there never was one, or it was deleted too long ago.
        BoardFull, StoreUnavailable
    """
    room = {"max_notes": max_notes, "max_boards": max_boards}
    return _write("note_restore", "note.created", note_id, None, room, [BOARDS])


def page(query: ListQuery) -> Page:
    """One page of a board. A search in a large board may give short pages that have a next one.

    Raises:
        StoreUnavailable: Redis does not answer.
    """
    page = _step(query, query.page, query.limit)
    for _ in range(SEARCH_STEPS - 1):
        if page.next is None or len(page.notes) == query.limit:
            break
        step = _step(query, page.next, query.limit - len(page.notes))
        if step.cursor != page.cursor:
            break  # a page reflects one moment; the next one goes on from here
        page = Page(page.notes + step.notes, step.next, step.cursor, step.board)
    return page


def _step(query: ListQuery, after: str | None, limit: int) -> Page:
    # The token of a page says in which order its list is.
    on_wall = query.order == "position" or "." in (after or "")
    arguments: dict[str, Any] = {"limit": limit, "on_wall": on_wall}
    if after is not None:
        arguments["after"] = after
    if query.q:
        arguments["q"] = query.q
    if query.done is not None:
        arguments["done"] = query.done
    cursor, last, found, *title = call("note_list", topic_of(query.board), arguments, read=True)
    board = board_as_json(query.board, *title)
    return Page(found, last.decode() or None, cursor.decode(), board)


def export(board: str) -> Iterator[bytes]:
    """All notes of a board as JSON, newest first, a few at a time.

    Notes that are added meanwhile are not in it. Raises StoreUnavailable, also half-way.
    """
    query = ListQuery(board=board, limit=EXPORT_NOTES)
    while True:
        read = page(query)
        yield from read.notes
        if read.next is None:
            return
        query = query.model_copy(update={"page": read.next})


def _write(
    function: str,
    event: str,
    note_id: str,
    versions: list[int] | None,
    arguments: dict[str, Any],
    more_keys: Sequence[str] = (),
) -> bytes:
    accepted = {} if versions is None else {"versions": versions}
    arguments = {**facts(), "type": event, **arguments, **accepted, "id": note_id}
    return checked(_finish(function, _topic_of_note(note_id), arguments, more_keys))


def _finish(function: str, topic: str, arguments: dict[str, Any], more_keys: Sequence[str]) -> list[bytes]:
    """Calls until all notes are in the wall's own order: each call brings some there, and lets others in."""
    while (answer := call(function, topic, arguments, more_keys)) == [b"behind"]:
        pass
    found: list[bytes] = answer
    return found


def board_as_json(slug: str, title: bytes | None, version: bytes | None) -> bytes:
    """A board as boards.lua writes it. A board without a title is at version 0."""
    return _encode({"slug": slug, "title": (title or b"").decode(), "version": int(version or 0)}).encode()


def call(
    function: str, topic: str, arguments: dict[str, Any], more_keys: Sequence[str] = (), read: bool = False
) -> Any:
    """Calls a function of notes.lua or boards.lua. Raises StoreUnavailable."""
    if not read and "call" not in arguments:
        # By this name Redis knows a call that is sent again, because the connection was lost.
        arguments["call"] = secrets.token_hex(8)
    payload = _encode({"topic": topic, **arguments})
    return default().call(function, [f"topic:{{{topic}}}", *more_keys], payload, read=read, repeat=True)


def _topic_of_note(note_id: str) -> str:
    match = NOTE_ID.fullmatch(note_id)
    if not match:
        raise NoSuchNote
    return topic_of(match[1])


def checked(answer: list[bytes]) -> bytes:
    """What a function answered, or what it refused as an exception."""
    match answer:
        case [b"missing"]:
            raise NoSuchNote
        case [b"mismatch"]:
            raise KeyReused
        case [b"full", what]:
            raise BoardFull(what.decode())
        case [b"conflict", current]:
            raise VersionConflict(current)
        case [b"unknown"]:
            raise StoreUnavailable("the note was written, and its event is no longer kept")
        case [_, note]:
            return note
    return b""
