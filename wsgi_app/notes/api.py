"""The HTTP API of notes."""

from __future__ import annotations

import errno
import gzip
import logging
import re
from collections.abc import Iterator
from contextlib import ExitStack, nullcontext
from functools import lru_cache
from ipaddress import ip_network
from typing import TYPE_CHECKING

from flask import Blueprint, Flask, Request, Response, current_app, json, request, stream_with_context
from pydantic import TypeAdapter
from werkzeug.datastructures import Headers
from werkzeug.exceptions import BadRequest, UnprocessableEntity, UnsupportedMediaType
from werkzeug.routing import BaseConverter

from corkboard import StoreUnavailable, position
from wsgi_app.notes import boards, remembered
from wsgi_app.notes import store as notes
from wsgi_app.notes.models import BoardChanges, BoardQuery, ListQuery, NewNote, NoteChanges
from wsgi_app.settings import Settings
from wsgi_app.turns import Turns

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

log = logging.getLogger(__name__)
blueprint = Blueprint("api", __name__, url_prefix="/api")

changes_adapter: TypeAdapter[NoteChanges] = TypeAdapter(NoteChanges)
JSON = "application/json"
IDEMPOTENCY_KEY = re.compile(r"[\x21-\x7e]{1,255}")
# nginx answers with it for one second, and for one more while it fetches a new one. Browsers revalidate it.
SHARED = "s-maxage=1, max-age=0, stale-while-revalidate=1"
SHARED_LEVEL = 6
VERSION_TAG = re.compile(r"0|[1-9][0-9]{0,15}")


@blueprint.get("/notes")
def list_notes() -> Response:
    """A page of a board's notes, and the cursor from which to subscribe."""
    asked = _asked()
    query = _list_query(asked.query_string)
    cursor = position(notes.topic_of(query.board))
    if not query.shared and _is_known(asked, cursor):
        return _unchanged(cursor)
    kept, body = remembered.find(query)
    if kept != cursor:
        is_search = query.q or query.done is not None
        with _turns("searches").turn() if is_search else nullcontext():
            page = notes.page(query)
        cursor, body = page.cursor, _list_body(page)
        remembered.remember(query, cursor, body)
    response = _json(body, tag=cursor)
    if query.shared:
        response.headers["Cache-Control"] = SHARED
    if query.shared == "gzip":
        response.content_encoding = "gzip"
        response.vary.add("Accept-Encoding")
        response.data = gzip.compress(body, SHARED_LEVEL, mtime=0)
    return response


@blueprint.post("/notes")
def create_note() -> Response:
    """Writes a note and sends its event. With an Idempotency-Key, a repeat changes nothing."""
    asked = _asked()
    key = asked.environ.get("HTTP_IDEMPOTENCY_KEY")
    if key is not None and not IDEMPOTENCY_KEY.fullmatch(key):
        raise BadRequest("An Idempotency-Key has 1 to 255 printable ASCII characters and no space.")
    new = NewNote.model_validate_json(_body(asked))
    body = notes.create(new, **_room(), idempotency_key=key, client=_client(asked) if key else "")
    headers = {**_tagged(_version(body)), "Location": f"{asked.path}/{_id(body)}"}
    return _Answer(body, 201, headers, content_type=JSON)


@blueprint.get("/notes/export")
def export_notes() -> Response:
    """All notes of a board, a line each, newest first."""
    query = BoardQuery.model_validate(_query())
    with ExitStack() as turn:
        turn.enter_context(_turns("exports").turn())
        exported = notes.export(query.board)
        first = next(exported, None)  # while an error can still be answered as one
        response = Response(stream_with_context(_lines(first, exported)), content_type="application/x-ndjson")
        # The turn lasts until the answer is sent, or the client is gone.
        response.call_on_close(turn.pop_all().close)
    return response


def _lines(first: bytes | None, others: Iterator[bytes]) -> Iterator[bytes]:
    if first is not None:
        yield first + b"\n"
    try:
        for note in others:
            yield note + b"\n"
    except StoreUnavailable as error:
        log.warning("an export broke off: %s", error)
        # Gunicorn cuts the connection, so that what was sent does not look like all of it.
        raise ConnectionResetError(errno.ECONNRESET, "an export broke off") from None


@blueprint.get("/notes/<note:note_id>")
def get_note(note_id: str) -> Response:
    """One note."""
    return _note(notes.get(note_id))


@blueprint.patch("/notes/<note:note_id>")
def update_note(note_id: str) -> Response:
    """Changes a note and sends its event. With If-Match, only when nobody else changed it before."""
    changes = changes_adapter.validate_json(_body(_asked()))
    if not changes:
        raise UnprocessableEntity("Say at least one of text, color, position and done.")
    return _note(notes.update(note_id, changes, _accepted_versions()))


@blueprint.delete("/notes/<note:note_id>")
def delete_note(note_id: str) -> Response:
    """Deletes a note, sends its event, and answers the note as it was."""
    return _json(notes.delete(note_id, _accepted_versions()))


@blueprint.post("/notes/<note:note_id>/restore")
def restore_note(note_id: str) -> Response:
    """Takes a deletion back, within an hour. A repeat answers the note as it is."""
    return _note(notes.restore(note_id, **_room()))


@blueprint.get("/boards/<board:slug>")
def get_board(slug: str) -> Response:
    """A board's title. Every valid name has a board; one that nobody has used has no title."""
    return _board(boards.get(slug))


@blueprint.patch("/boards/<board:slug>")
def update_board(slug: str) -> Response:
    """Gives a board a title and sends its event. With If-Match, only when nobody else changed it before."""
    title = BoardChanges.model_validate_json(_body(_asked())).title
    room = _room()["max_boards"]
    return _board(boards.rename(slug, title, max_boards=room, versions=_accepted_versions()))


class _Board(BaseConverter):
    regex = "[a-z0-9-]{1,64}"


class _NoteId(BaseConverter):
    # What cannot be an id is no note's address, so `/notes/export` has the methods of the export only.
    regex = notes.NOTE_ID.pattern


def init_app(app: Flask) -> None:
    """Adds the routes to the app."""
    app.url_map.converters.update(note=_NoteId, board=_Board)
    settings: Settings = app.extensions["settings"]
    threads = settings.wsgi_threads
    app.extensions["turns"] = {
        # One search at a time per process uses Redis, which has others to serve as well.
        "searches": Turns(threads // 2, 1),
        # A slow reader occupies a thread once nginx has buffered as much as it may.
        "exports": Turns(threads // 4, threads // 4),
    }
    app.register_blueprint(blueprint)


def _turns(kind: str) -> Turns:
    turns: Turns = current_app.extensions["turns"][kind]
    return turns


def _room() -> dict[str, int]:
    settings: Settings = current_app.extensions["settings"]
    return {"max_notes": settings.max_notes_per_board, "max_boards": settings.max_boards}


def _asked() -> Request:
    """The request itself: each access through Flask's proxy costs as much as a line of a view."""
    found: Request = request._get_current_object()  # type: ignore[attr-defined]
    return found


def _client(asked: Request) -> str:
    """The client's address; of an IPv6 address its /64 network, which belongs to one customer."""
    address = asked.remote_addr or ""
    return str(ip_network(f"{address}/64", strict=False)) if ":" in address else address


# Most requests ask for one of a few lists.
@lru_cache(256)
def _list_query(_text: bytes) -> ListQuery:
    return ListQuery.model_validate(_query())


def _query() -> dict[str, str]:
    # `?q=` means the same as no q at all.
    return {name: value for name, value in request.args.items() if value}


def _body(asked: Request) -> bytes:
    # First the form that the wall sends; any other is parsed as the RFC says.
    if asked.environ.get("CONTENT_TYPE") != JSON and asked.mimetype != JSON:
        raise UnsupportedMediaType("Send the body as JSON, with the header Content-Type: application/json.")
    return asked.get_data(cache=False)


def _accepted_versions() -> list[int] | None:
    """The versions that If-Match names, None when any will do.

    A weak tag counts as well, against RFC 9110 section 13.1.1: nginx makes a tag weak when it
    compresses, and a version number is exact in either form.
    """
    wanted = request.if_match
    if wanted.star_tag or "If-Match" not in request.headers:
        return None
    return [int(tag) for tag in wanted.as_set(include_weak=True) if VERSION_TAG.fullmatch(tag or "")]


def _id(note: bytes) -> str:
    # notes.lua writes the fields in one order, and inside a JSON string a quote follows a backslash.
    return note[note.index(b'"id":"') + 6 : note.index(b'","board":')].decode()


def _version(note: bytes) -> str:
    return note[note.rindex(b',"version":') + 11 : note.rindex(b',"created_at":')].decode()


def _list_body(page: notes.Page) -> bytes:
    # The notes are JSON already, so they are joined and not parsed.
    more = {"next": page.next, "cursor": page.cursor}
    tail = json.dumps(more, separators=(",", ":"))
    return b'{"notes":[' + b",".join(page.notes) + b'],"board":' + page.board + b"," + tail[1:].encode()


def _json(body: bytes, status: int = 200, tag: str = "") -> Response:
    return _Answer(body, status, _tagged(tag) if tag else {}, content_type=JSON)


class _Answer(Response):
    """An answer whose headers are sent as they are. Werkzeug would check each for what it has to correct."""

    default_mimetype = None

    def get_wsgi_headers(self, _environ: WSGIEnvironment) -> Headers:
        """The headers as they are: a Location is plain ASCII here, and the length is known."""
        return self.headers


def _unchanged(tag: str) -> Response:
    return _Answer(status=304, headers=_tagged(tag))


def _tagged(tag: str) -> dict[str, str]:
    # A cursor or a version: nothing in it has to be escaped.
    return {"ETag": f'"{tag}"', "Cache-Control": "no-cache"}


def _is_known(asked: Request, tag: str) -> bool:
    """Whether the request's If-None-Match names this tag."""
    given = asked.environ.get("HTTP_IF_NONE_MATCH")
    if not given:
        return False
    # First the form that browsers send, the one tag that they got; any other is parsed as the RFC says.
    return given in (f'"{tag}"', f'W/"{tag}"') or asked.if_none_match.contains_weak(tag)


def _note(body: bytes) -> Response:
    return _at_version(body, _version(body))


def _board(body: bytes) -> Response:
    return _at_version(body, str(json.loads(body)["version"]))


def _at_version(body: bytes, tag: str) -> Response:
    asked = _asked()
    if asked.method in ("GET", "HEAD") and _is_known(asked, tag):
        return _unchanged(tag)
    return _json(body, tag=tag)
