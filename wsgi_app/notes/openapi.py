"""The API described in OpenAPI 3.1, made from the same models that check the requests.

https://spec.openapis.org/oas/v3.1.1.html
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from openapi_pydantic.util import PydanticSchema, construct_open_api_with_schema_class
from openapi_pydantic.v3.v3_1 import OpenAPI
from pydantic import BaseModel, TypeAdapter

from wsgi_app.notes.models import (
    BoardAbout,
    BoardChanges,
    BoardQuery,
    ListQuery,
    NewNote,
    Note,
    NoteChanges,
    NoteList,
    Problem,
    Ticket,
)

Json = dict[str, Any]

ABOUT = """\
Notes on boards. A write and the event that tells of it are one step: who fetches a list, and then
subscribes at `/ws`, `/ws/events` or `/ws/poll` from its `cursor`, misses nothing and gets nothing twice.

Every error is a problem document (RFC 9457). Every answer carries `X-Request-Id`; one that the client sent
is kept when it has 8 to 128 letters, digits, dots, dashes and underscores. The event that a write causes
carries the same id."""

ANSWERED_HEADERS = {
    "ETag": "What this answer reflects; of a note or a board its version.",
    "Location": "The address of the new note.",
    "Retry-After": "Seconds to wait before the next try.",
    "Set-Cookie": "The ticket once more, in a cookie that scripts cannot read, and the visitor's session.",
    "X-Request-Id": "Names this request in the logs and in its event.",
}
SENT_HEADERS = {
    "Idempotency-Key": "A name that you make up for this write. A repeat with it is answered alike, no more.",
    "If-Match": "The ETag of the note or board as you know it. At another version, nothing is written.",
    "If-None-Match": "The ETag of an earlier answer. While that holds, the answer is an empty 304.",
}
PATTERNS = {
    "Idempotency-Key": "^[!-~]{1,255}$",
    "slug": "^[a-z0-9-]{1,64}$",
    "note_id": r"^[a-z0-9-]{1,64}\.[0-9a-f]{16}$",
}
PROBLEMS = {
    400: "The body is not JSON, or the Idempotency-Key has characters that it must not have.",
    403: "The request comes from a page of another site.",
    404: "There is no such note, or this cannot be the name of a board.",
    412: "The note or the board is at another version; `ETag` says at which.",
    413: "The body is over 64 KiB.",
    414: "The address is over 8 KiB.",
    415: "The body is not sent as `application/json`.",
    422: "The request says something that is not allowed; `errors` names each field.",
    429: "Too many requests.",
    503: "The store is away, or too many ask for the same. A write may have happened: repeat it with the "
    "same Idempotency-Key.",
    507: "There is no room: the board, the number of boards or the memory is full. Nothing was written.",
}
PROBLEM_HEADERS = {412: ["ETag"], 429: ["Retry-After"], 503: ["Retry-After"]}
BODY = (400, 413, 415, 422)
BUSY = (429, 503)


def document() -> Json:
    """The whole description."""
    api = OpenAPI.model_validate(
        {
            "openapi": "3.1.1",
            "info": {"title": "Corkboard", "version": "1", "description": ABOUT},
            "tags": [{"name": "notes"}, {"name": "boards"}, {"name": "tickets"}, {"name": "about"}],
            "paths": _paths(),
            "components": {
                "headers": {
                    name: {"description": what, "required": True, "schema": {"type": "string"}}
                    for name, what in ANSWERED_HEADERS.items()
                },
                "parameters": {name: _parameter("header", name, what) for name, what in SENT_HEADERS.items()},
                "responses": {
                    f"Problem{status}": _answer(
                        what, _model(Problem, "application/problem+json"), *PROBLEM_HEADERS.get(status, [])
                    )
                    for status, what in PROBLEMS.items()
                },
                "schemas": {"NoteChanges": _changes()},
            },
        }
    )
    described: Json = construct_open_api_with_schema_class(api).model_dump(
        mode="json", by_alias=True, exclude_none=True, exclude_unset=True
    )
    return described


def _paths() -> Json:
    note = _model(Note)
    changes = _content("application/json", _reference("schemas", "NoteChanges"))
    unchanged = {"304": _answer("Nothing has changed", None, "ETag")}
    list_notes = _operation(
        "list_notes", "A page of a board's notes, newest first unless told", (414, 422, *BUSY),
        {"200": _answer("The page", _model(NoteList), "ETag"), **unchanged},
        parameters=[*_query(ListQuery), _sent("If-None-Match")],
    )  # fmt: skip
    create_note = _operation(
        "create_note", "Write a note", (*BODY, *BUSY, 507),
        {"201": _answer("The note", note, "ETag", "Location")},
        parameters=[_sent("Idempotency-Key")], body=_model(NewNote),
    )  # fmt: skip
    get_note = _operation(
        "get_note", "One note", (404, *BUSY),
        {"200": _answer("The note", note, "ETag"), **unchanged},
        parameters=[_sent("If-None-Match")],
    )  # fmt: skip
    update_note = _operation(
        "update_note", "Change a note", (404, 412, *BODY, *BUSY, 507),
        {"200": _answer("The note, at its next version", note, "ETag")},
        parameters=[_sent("If-Match")], body=changes,
    )  # fmt: skip
    delete_note = _operation(
        "delete_note", "Delete a note", (404, 412, *BUSY),
        {"200": _answer("The note as it was", note)},
        parameters=[_sent("If-Match")],
    )  # fmt: skip
    restore_note = _operation(
        "restore_note", "Take a deletion back, within an hour", (404, *BUSY, 507),
        {"200": _answer("The note, where it was, at its next version", note, "ETag")},
    )  # fmt: skip
    export_notes = _operation(
        "export_notes", "All notes of a board, newest first", (414, 422, *BUSY),
        {"200": _answer("A note as JSON on each line", _content("application/x-ndjson", {"type": "string"}))},
        parameters=_query(BoardQuery),
    )  # fmt: skip
    get_board = _operation(
        "get_board", "The title of a board", (404, *BUSY),
        {"200": _answer("The board, with a title or not", _model(BoardAbout), "ETag"), **unchanged},
        parameters=[_sent("If-None-Match")], tag="boards",
    )  # fmt: skip
    update_board = _operation(
        "update_board", "Give a board a title", (404, 412, *BODY, *BUSY, 507),
        {"200": _answer("The board; with a new title at its next version", _model(BoardAbout), "ETag")},
        parameters=[_sent("If-Match")], body=_model(BoardChanges), tag="boards",
    )  # fmt: skip
    draw_board = _operation(
        "draw_address", "The address of a board as a QR code", (404, 429),
        {"200": _answer("The code", _content("image/svg+xml", {"type": "string"}))}, tag="boards",
    )  # fmt: skip
    create_ticket = _operation(
        "create_ticket", "A ticket for topics that are not public", (403, 429),
        {"201": _answer("The ticket", _model(Ticket), "Set-Cookie")}, tag="tickets",
    )  # fmt: skip
    anything = _content("application/json", {"type": "object"})
    describe = _operation(
        "describe", "This description", (429,),
        {"200": _answer("OpenAPI 3.1", anything, "ETag"), **unchanged},
        parameters=[_sent("If-None-Match")], tag="about",
    )  # fmt: skip
    slug = _parameter("path", "slug", "The board's name in addresses", required=True)
    note_id = _parameter("path", "note_id", "The note's `id`", required=True)
    return {
        "/api/notes": {"get": list_notes, "post": create_note},
        "/api/notes/export": {"get": export_notes},
        "/api/notes/{note_id}": {
            "parameters": [note_id], "get": get_note, "patch": update_note, "delete": delete_note,
        },
        "/api/notes/{note_id}/restore": {"parameters": [note_id], "post": restore_note},
        "/api/boards/{slug}": {"parameters": [slug], "get": get_board, "patch": update_board},
        "/api/boards/{slug}/qr.svg": {"parameters": [slug], "get": draw_board},
        "/api/tickets": {"post": create_ticket},
        "/api/openapi.json": {"get": describe},
    }  # fmt: skip


def _operation(
    name: str,
    summary: str,
    problems: Iterable[int],
    answers: Json,
    *,
    parameters: list[Json] | None = None,
    body: Json | None = None,
    tag: str = "notes",
) -> Json:
    described = {str(status): _reference("responses", f"Problem{status}") for status in sorted(problems)}
    operation: Json = {
        "operationId": name,
        "summary": summary,
        "tags": [tag],
        "responses": answers | described,
    }
    if parameters:
        operation["parameters"] = parameters
    if body:
        operation["requestBody"] = {"content": body, "required": True}
    return operation


def _answer(description: str, content: Json | None, *headers: str) -> Json:
    named = {name: _reference("headers", name) for name in (*headers, "X-Request-Id")}
    return {"description": description, "headers": named, "content": content}


def _model(model: type[BaseModel], content_type: str = "application/json") -> Json:
    return _content(content_type, PydanticSchema.model_validate({"schema_class": model}))


def _content(content_type: str, schema: object) -> Json:
    return {content_type: {"schema": schema}}


def _reference(kind: str, name: str) -> Json:
    return {"$ref": f"#/components/{kind}/{name}"}


def _sent(header: str) -> Json:
    return _reference("parameters", header)


def _parameter(place: str, name: str, description: str, required: bool = False) -> Json:
    schema = {"type": "string", "pattern": PATTERNS.get(name)}
    return {"in": place, "name": name, "description": description, "required": required, "schema": schema}


def _query(model: type[BaseModel]) -> list[Json]:
    fields = model.model_json_schema()["properties"].items()
    return [
        {
            "in": "query",
            "name": name,
            "description": schema.pop("description", None),
            "allowEmptyValue": True,
            "schema": schema,
        }
        for name, schema in fields
    ]


def _changes() -> Json:
    # No model but a TypedDict, in which a field may be absent without being null.
    return TypeAdapter(NoteChanges).json_schema() | {"minProperties": 1}
