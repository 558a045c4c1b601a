"""Serves the browser's scripts under `/ws/client/`.

`/ws/client/NAME.js` is a script at a stable address, which browsers revalidate each time. It contains what it
imports, so that a page makes one request. What it loads later comes from `/ws/client/HASH/NAME.js`, which
browsers cache for a year: HASH changes with the content of any script.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from asgi_app.client.joining import joined

FOLDER = Path(__file__).parent
FOREVER = "public, max-age=31536000, immutable"
REVALIDATE = "no-cache"


def routes(folder: Path = FOLDER) -> list[BaseRoute]:
    """The routes for all scripts of a folder, which is read once, here.

    Raises:
        ValueError: a script has an import that cannot be joined.
        OSError: a script cannot be read.
    """
    scripts = joined(folder)
    digest = hashlib.sha256()
    for name, content in scripts.items():
        digest.update(b"%b\0%d\0%b" % (name.encode(), len(content), content))
    version = digest.hexdigest()[:12]

    async def script(request: Request) -> Response:
        content = _find(scripts, request.path_params["name"])
        # While replicas are replaced, a script of the new version may ask a replica of the old one.
        current = request.path_params["version"] == version
        return _answer(request, content, version, FOREVER if current else REVALIDATE)

    async def entry(request: Request) -> Response:
        content = _find(scripts, request.path_params["name"])
        for name in scripts:
            content = content.replace(f'"./{name}"'.encode(), f'"./{version}/{name}"'.encode())
        return _answer(request, content, version, REVALIDATE)

    return [
        Route("/ws/client/{version:str}/{name:str}", script),
        Route("/ws/client/{name:str}", entry),
    ]


def _find(scripts: dict[str, bytes], name: str) -> bytes:
    try:
        return scripts[name]
    except KeyError:
        raise HTTPException(404, "There is no such script.") from None


def _answer(request: Request, content: bytes, version: str, cache: str) -> Response:
    headers = {"ETag": f'"{version}"', "Cache-Control": cache, "X-Content-Type-Options": "nosniff"}
    # A proxy that compresses makes the tag a weak one: RFC 9110 section 13.1.2 compares weakly here.
    known = [tag.strip().removeprefix("W/") for tag in request.headers.get("if-none-match", "").split(",")]
    if "*" in known or headers["ETag"] in known:
        return Response(status_code=304, headers=headers)
    return Response(content, headers=headers, media_type="text/javascript")
