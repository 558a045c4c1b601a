"""The descriptions of the API and of the events: for programs, and as pages for people."""

from __future__ import annotations

import gzip
from functools import cache
from importlib import metadata, resources

from flask import Blueprint, Response, json, render_template, request, url_for
from werkzeug.exceptions import NotFound

from wsgi_app.notes import openapi

blueprint = Blueprint("docs", __name__)

# A package that does nothing but carry Swagger UI's own files, under Swagger UI's own version.
PACKAGE = "flask_swagger_ui"
VERSION = metadata.version(PACKAGE)
ASSETS = {"swagger-ui-bundle.js": "text/javascript", "swagger-ui.css": "text/css"}


@blueprint.get("/api/openapi.json")
def describe() -> Response:
    """The API in OpenAPI 3.1."""
    response = Response(_document(), content_type="application/json")
    response.headers["Cache-Control"] = "no-cache"
    response.add_etag()
    response.make_conditional(request)
    return response


@blueprint.get("/docs")
def docs() -> str:
    """The API as a page, by Swagger UI."""
    return render_template("docs.html", asset=lambda name: url_for("docs.asset", version=VERSION, name=name))


@blueprint.get("/docs/events")
def events() -> str:
    """The messages of the WebSocket as a page, made in the browser from the sidecar's own description."""
    return render_template("events.html")


@blueprint.get("/docs/assets/<version>/<name>")
def asset(version: str, name: str) -> Response:
    """A file of Swagger UI. Its address contains its version, so it may be cached for ever."""
    if version != VERSION or name not in ASSETS:
        raise NotFound("There is no such file.")
    response = Response(content_type=f"{ASSETS[name]}; charset=utf-8")
    response.headers["Cache-Control"] = "public, max-age=31536000, immutable"
    response.vary.add("Accept-Encoding")
    # Compressed once, so that it fits into nginx's buffers: a slow reader must not occupy a thread.
    if request.accept_encodings["gzip"]:
        response.content_encoding = "gzip"
        response.data = _packed(name)
    else:
        response.data = gzip.decompress(_packed(name))
    return response


@cache
def _document() -> bytes:
    return json.dumps(openapi.document()).encode()


@cache
def _packed(name: str) -> bytes:
    return gzip.compress(resources.files(PACKAGE).joinpath("dist", name).read_bytes(), mtime=0)
