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
from corkboard import NotConfigured, StoreUnavailable
from corkboard.cluster import is_cluster
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
EXPORT_NOTES = 50  # read at a time: 600 kB, if all have the longest text
# Notes that version 2.0 wrote lack the field. It is searched for near the end only, and cannot be part of a
# text: inside a JSON string a quote follows a backslash.
POSITION, POSITION_WITHIN = b',"position":"', -300
# `json.dumps` would make an encoder for each call.
_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
SEARCH_STEPS = 16  # calls to Redis before a search answers with what it has found so far


class NoSuchNote(Exception):
    """There is no note with this id, or it was deleted."""


class VersionConflict(Exception):
    """The note or board is at a version that the caller does not accept. `current` is it as JSON."""

    def __init__(self, current: bytes) -> None:
        super().__init__("it has changed")
        self.current = current


class KeyReused(Exception):
    """The idempotency key was used before, with another body."""


class BoardFull(Exception):
    """There is no room: `what` is `board` (too many notes) or `boards` (too many boards)."""

    def __init__(self, what: str) -> None:
        super().__init__(f"no room: {what}")
        self.what = what


@dataclass(frozen=True)
class Page:
    """Notes as JSON, in order; the next page's token; the topic's cursor and the board at that moment."""

    notes: list[bytes]
    next: str | None
    cursor: str
    board: bytes


def connect(settings: Settings) -> Store:
    """A store with the functions of notes and boards beside the kit's.

    Raises:
        NotConfigured: CORKBOARD_URL is not set, or a setting is invalid.
    """
    loaded = corkboard.settings.load()
    return Store(
        loaded.url,
        wait_replicas=loaded.wait_replicas,
        functions=FUNCTIONS,
        connections=settings.redis_connections(),
        observe=timed,
    )


def check(settings: Settings) -> None:
    """Loads the functions before the first request. Without Redis it logs a warning and returns.

    Raises:
        SystemExit: Redis refuses the functions, or is a cluster; the message is one line.
    """
    if is_cluster(corkboard.settings.load().url):
        raise SystemExit(
            "CORKBOARD_URL is invalid: expected one Redis, or Sentinels. Unlike the kit, the demo needs one "
            "master: a note, the list of boards and the Idempotency-Keys change in one step"
        )
    try:
        connect(settings).load()
    except (LibraryBroken, NotConfigured) as error:
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

    A repeat with the same key writes nothing and returns what the first call returned.

    Args:
        new: the note. Without a position it hangs above all that were created before.
        max_notes: how many notes the board may hold.
        max_boards: how many boards there may be.
        idempotency_key: is remembered for 24 h, with the note.
        client: the address that the key came from. Beyond 8 MiB for one, its oldest keys are forgotten.

    Raises:
        BoardFull: there is no room for the note.
        KeyReused: the key was used with another body.
        StoreUnavailable: whether the note was written is unknown; repeat with the same key.
    """
    topic = topic_of(new.board)
    note = {"id": f"{new.board}.{secrets.token_hex(8)}", **new.model_dump()}
    for optional in ("author", "position"):
        if not note[optional]:
            del note[optional]
    # The note's id is unique, so it is also the name of the call.
    arguments: dict[str, Any] = {
        "call": note["id"], "type": "note.created", "note": note, "folded": new.text.casefold(),
    }  # fmt: skip
    arguments |= {"max_notes": max_notes, "max_boards": max_boards}
    keys = [BOARDS]
    if idempotency_key is not None:
        # As sent: a colour chosen at random must not make a repeat look like another request.
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

    A note that is not deleted is returned as it is. The last 100 deleted notes of each board are kept for
    an hour, except those that were deleted while Redis was full. `max_notes`, `max_boards`: as for `create`.

    Raises:
        NoSuchNote: there was no such note, or it was deleted too long ago.
        BoardFull, StoreUnavailable
    """
    room = {"max_notes": max_notes, "max_boards": max_boards}
    return _write("note_restore", "note.created", note_id, None, room, [BOARDS])


def page(query: ListQuery) -> Page:
    """One page of a board. A page of a search may have fewer notes than `limit` although there is a next one.

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
    # The form of a page's token says which order its list has.
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
    """All notes of a board as JSON, newest first, read EXPORT_NOTES at a time.

    Notes that are added meanwhile are left out.

    Raises:
        StoreUnavailable: Redis does not answer; possibly after some notes.
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
    """Repeats the call until the wall's order is complete: each call adds some notes to it."""
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
    """Calls a function of notes.lua or boards.lua, and returns its answer.

    Raises:
        StoreUnavailable: Redis does not answer; whether a write happened is unknown.
    """
    if not read and "call" not in arguments:
        # By this name Redis recognizes a call that is sent again after the connection was lost.
        arguments["call"] = secrets.token_hex(8)
    payload = _encode({"topic": topic, **arguments})
    return default().call(function, [f"topic:{{{topic}}}", *more_keys], payload, read=read, repeat=True)


def _topic_of_note(note_id: str) -> str:
    match = NOTE_ID.fullmatch(note_id)
    if not match:
        raise NoSuchNote
    return topic_of(match[1])


def checked(answer: list[bytes]) -> bytes:
    """The note or board that a function answered with.

    Raises:
        NoSuchNote, KeyReused, BoardFull, VersionConflict: what the function refused.
        StoreUnavailable: it was written before, and its event is no longer kept.
    """
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
