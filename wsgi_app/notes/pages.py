"""The wall's pages, and the addresses that say whether the app is alive and ready."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import quote

from flask import Blueprint, Flask, Response, jsonify, redirect, render_template
from redis.exceptions import NoPermissionError
from werkzeug.exceptions import NotFound
from werkzeug.wrappers import Response as WerkzeugResponse

from corkboard.store import default
from wsgi_app.notes import words
from wsgi_app.notes.api import SHARED
from wsgi_app.notes.boards import title_for_page
from wsgi_app.notes.models import COLORS, LONGEST
from wsgi_app.notes.version import version_of

blueprint = Blueprint("pages", __name__)

STATIC = Path(__file__).parent / "static"
BOARD = re.compile(r"[a-z0-9-]{1,64}")
INDENT = re.compile(r"\n\s+")

FILLED_RATIO = 0.8
FILLS_UP = "Redis uses over 80 % of its memory; at 95 % nothing is added any more."


@blueprint.get("/")
def main_wall() -> WerkzeugResponse:
    """The board `main`."""
    return wall("main")


@blueprint.get("/b/<board>")
def wall(board: str) -> WerkzeugResponse:
    """A board's page. Every valid name has one, whether or not anybody has used it."""
    if BOARD.fullmatch(board.lower()) and board != board.lower():
        return redirect(f"/b/{board.lower()}", 308)
    if not BOARD.fullmatch(board):
        raise NotFound("A board's name has 1 to 64 small letters, digits and dashes.")
    spoken = words.context(words.language())
    title = title_for_page(board)
    page = render_template("wall.html", board=board, title=title, colors=COLORS, longest=LONGEST, **spoken)
    page = INDENT.sub("\n", page)
    # The same for everybody with this language, so nginx may cache it for a second.
    headers = {"Cache-Control": SHARED, "Vary": "Accept-Language"}
    return Response(page, headers=headers, content_type="text/html; charset=utf-8")


@blueprint.get("/wall.webmanifest")
def manifest() -> Response:
    """What a browser needs to install the wall."""
    page = render_template("wall.webmanifest", **words.context(words.language()))
    headers = {"Cache-Control": "no-cache", "Vary": "Accept-Language"}
    return Response(page, headers=headers, content_type="application/manifest+json")


@blueprint.get("/healthz")
def healthz() -> Response:
    """This process is alive."""
    return jsonify(status="ok")


@blueprint.get("/readyz")
def readyz() -> Response:
    """This process can serve because Redis answers; otherwise 503. Has a warning when Redis fills up."""
    try:
        _, about = default().ask(("PING",), ("INFO", "memory"))
    except NoPermissionError:  # a Redis with the users of the version before
        return jsonify(status="ready")
    number = {name.decode(): int(value) for name, value in re.findall(rb"(\w+):(\d+)\r?\n", about)}
    used = number["used_memory"] - number.get("mem_not_counted_for_evict", 0)
    if used < FILLED_RATIO * number["maxmemory"] or not number["maxmemory"]:
        return jsonify(status="ready")
    return jsonify(status="ready", warning=FILLS_UP)


def init_app(app: Flask) -> None:
    """Adds the routes, and gives templates `static(name)` and `icon`.

    `static(name)` is an address that changes with any static file, so it may be cached for ever.
    `icon` is a data URL, which saves a request.
    """
    version = version_of(STATIC)
    icon = quote((STATIC / "icon.svg").read_text().strip(), safe=" '/:=,;")
    app.jinja_env.globals["icon"] = f"data:image/svg+xml,{icon}"
    app.jinja_env.globals["static"] = lambda name: f"/static/{version}/{name}"
    app.register_blueprint(blueprint)
