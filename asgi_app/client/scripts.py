"""Serves the browser's scripts under `/ws/client/`.

`/ws/client/NAME.js` is a script at an address that stays, and is revalidated each time. What it imports is in
it, so that a page makes one request. What it loads later comes from `/ws/client/HASH/NAME.js`, which browsers
keep for a year: HASH changes with the content of any script.
"""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

FOLDER = Path(__file__).parent
# Lines that hold nothing else. A script must not have lines that look like one inside of a text.
COMMENT = re.compile(rb"^[ \t]*(/\*((?!\*/).)*\*/|//[^\n]*)\n", re.DOTALL | re.MULTILINE)
INDENT = re.compile(rb"^[ \t]+", re.MULTILINE)
IMPORT = re.compile(rb'^import \{[^}]*\} from "\./([\w-]+\.js)";\n', re.MULTILINE)
EXPORT = re.compile(rb"^export (?:\{[^}]*\};\n)?", re.MULTILINE)
FOREVER = "public, max-age=31536000, immutable"
REVALIDATE = "no-cache"


def routes(folder: Path = FOLDER) -> list[BaseRoute]:
    """The routes for all scripts of a folder, which is read once, here."""
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


def joined(folder: Path = FOLDER) -> dict[str, bytes]:
    """Each script of a folder by name, with what it imports in place of the imports; no comments, no indents.

    So the names at the top of scripts that are joined must differ.
    """
    files = sorted(folder.glob("*.js"))
    scripts = {path.name: INDENT.sub(b"", COMMENT.sub(b"", path.read_bytes())) for path in files}

    def join(name: str, inside: set[str]) -> bytes:
        def content(imported: re.Match[bytes]) -> bytes:
            other = imported[1].decode()
            if other in inside:
                return b""
            inside.add(other)
            return EXPORT.sub(b"", join(other, inside))

        return IMPORT.sub(content, scripts[name])

    return {name: join(name, {name}) for name in scripts}


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
