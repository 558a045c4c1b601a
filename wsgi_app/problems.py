"""Every error as a problem document (RFC 9457), or a page: what went wrong, where, and what to do."""

from __future__ import annotations

import logging
from http import HTTPStatus

from flask import Flask, Response, g, json, render_template, request
from pydantic import ValidationError
from werkzeug.exceptions import HTTPException

from corkboard import StoreFull, StoreUnavailable
from corkboard.store import LibraryBroken, Unconfirmed
from wsgi_app.notes import words
from wsgi_app.notes.store import BoardFull, KeyReused, NoSuchNote, VersionConflict
from wsgi_app.turns import Busy

log = logging.getLogger(__name__)

RETRY_SECONDS = 1
TYPE, HTML = "application/problem+json", "text/html"


def problem(
    status: int,
    detail: str,
    errors: list[dict[str, str]] | None = None,
    headers: dict[str, str] | None = None,
) -> Response:
    """A problem document as an answer; a page for who prefers HTML, as browsers do."""
    document = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        "request_id": g.get("request_id", ""),
    }
    if status == 422:
        document["errors"] = errors or [{"field": "body", "detail": detail}]
    # Without a word on it a browser may keep a 404 and show it when the note is there.
    headers = {"Cache-Control": "no-store", "Vary": "Accept", **(headers or {})}
    if request.accept_mimetypes.best_match((TYPE, "application/json", HTML)) == HTML:
        headers["Vary"] = "Accept, Accept-Language"
        return Response(_page(document), status, headers, mimetype=HTML)
    body = json.dumps(document, separators=(",", ":"))
    return Response(body, status, headers, content_type=TYPE)


def _page(document: dict[str, object]) -> str:
    spoken = words.context(words.language())
    title, _ = words.in_words(str(document["title"]), spoken["lang"])
    detail, detail_lang = words.in_words(str(document["detail"]), spoken["lang"])
    return render_template("problem.html", title=title, detail=detail, detail_lang=detail_lang, **spoken)


def _http(error: HTTPException) -> Response:
    headers = {
        name: value for name, value in error.get_headers() if name in ("Allow", "Retry-After", "Location")
    }
    status = error.code or 500
    if 300 <= status < 400:
        return Response(status=status, headers=headers)
    return problem(status, error.description or HTTPStatus(status).phrase, headers=headers)


def _invalid(error: ValidationError) -> Response:
    found = error.errors(include_url=False, include_context=False, include_input=False)
    if found[0]["type"] == "json_invalid":
        return problem(400, f"The body is not JSON: {found[0]['msg']}.")
    details: dict[str, str] = {}
    for one in found:
        field = str(one["loc"][0]) if one["loc"] else "body"
        # The first error counts: of a value that may be absent, the next one says that it is not absent.
        details.setdefault(field, one["msg"].removeprefix("Value error, "))
    errors = [{"field": field, "detail": detail} for field, detail in details.items()]
    return problem(422, "; ".join(f"{field}: {detail}" for field, detail in details.items()), errors)


def _missing(_error: NoSuchNote) -> Response:
    return problem(404, "There is no such note.")


def _conflict(error: VersionConflict) -> Response:
    tag = f'"{json.loads(error.current)["version"]}"'
    detail = f"Somebody changed it; it is at version {tag} now. Read it, decide, and send that as If-Match."
    return problem(412, detail, headers={"ETag": tag})


def _reused(_error: KeyReused) -> Response:
    detail = "This Idempotency-Key came with another body before. Use a new key for a new request."
    return problem(422, detail, [{"field": "Idempotency-Key", "detail": detail}])


def _board_full(error: BoardFull) -> Response:
    if error.what == "boards":
        return problem(507, "There is no room for another board. Use one that is there, or empty one.")
    return problem(507, "This board is full. Delete notes that nobody needs any more, or use another board.")


def _full(error: StoreFull) -> Response:
    log.error("%s", error)
    return problem(
        507, "There is no room for more. Deleting still works: delete notes that nobody needs any more."
    )


def _unavailable(error: StoreUnavailable) -> Response:
    log.warning("%s", error)
    detail = "The store does not answer right now. Nothing you sent is shown as done; try again shortly."
    return problem(503, detail, headers={"Retry-After": str(RETRY_SECONDS)})


def _unconfirmed(error: Unconfirmed) -> Response:
    log.warning("%s", error)
    detail = (
        "It is unknown whether this lasts: it is written, and not known to be on another machine yet. Repeat "
        "it with the same Idempotency-Key: that doubles nothing."
    )
    return problem(503, detail, headers={"Retry-After": str(RETRY_SECONDS)})


def _busy(_error: Busy) -> Response:
    detail = "Too many others are asking for the same right now; try again shortly."
    return problem(503, detail, headers={"Retry-After": str(RETRY_SECONDS)})


def _broken(error: LibraryBroken) -> Response:
    log.error("%s", error)
    return problem(503, "The store is not set up.", headers={"Retry-After": "10"})


def _bug(error: Exception) -> Response:
    log.error("unexpected error", exc_info=error)
    return problem(500, "This is our mistake. It was logged under the request id.")


def init_app(app: Flask) -> None:
    """Registers the handlers."""
    app.register_error_handler(HTTPException, _http)
    app.register_error_handler(ValidationError, _invalid)
    app.register_error_handler(NoSuchNote, _missing)
    app.register_error_handler(VersionConflict, _conflict)
    app.register_error_handler(KeyReused, _reused)
    app.register_error_handler(BoardFull, _board_full)
    app.register_error_handler(StoreFull, _full)
    app.register_error_handler(StoreUnavailable, _unavailable)
    app.register_error_handler(Unconfirmed, _unconfirmed)
    app.register_error_handler(Busy, _busy)
    app.register_error_handler(LibraryBroken, _broken)
    app.register_error_handler(Exception, _bug)
