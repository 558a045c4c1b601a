"""QR codes of the addresses of boards."""

from __future__ import annotations

import io
from functools import lru_cache

import segno
from flask import Blueprint, Response, request

blueprint = Blueprint("qr", __name__, url_prefix="/api")


@blueprint.get("/boards/<board:slug>/qr.svg")
def draw_address(slug: str) -> Response:
    """A QR code of the board's address, as SVG. It depends on the request's address alone: cacheable."""
    response = Response(_draw(f"{request.host_url}b/{slug}"), content_type="image/svg+xml")
    response.headers["Cache-Control"] = "max-age=3600"
    return response


# Drawing one takes about 15 ms.
@lru_cache(256)
def _draw(address: str) -> bytes:
    drawn = io.BytesIO()
    # Black on white in either theme, with the margin that readers need. The CSP allows no inline styles.
    segno.make(address, micro=False).save(
        drawn, kind="svg", light="#fff", omitsize=True, svgclass=None, lineclass=None, xmldecl=False
    )
    return drawn.getvalue()
