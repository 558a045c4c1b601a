"""Plain connections, past every proxy setting of this machine."""

from __future__ import annotations

import json
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import Any
from urllib.parse import urlsplit


class Refused(OSError):
    """An answer that is no success, in one line."""

    def __init__(self, status: int, detail: str) -> None:
        super().__init__(f"{status} {detail}")
        self.status = status


def connect(host: str, timeout: float) -> HTTPConnection:
    """A connection to `host`, a URL; `timeout` seconds for each wait."""
    address = urlsplit(host)
    kind = HTTPSConnection if address.scheme == "https" else HTTPConnection
    return kind(address.netloc, timeout=timeout)


def get_json(host: str, path: str, headers: dict[str, str] | None = None, timeout: float = 5) -> Any:
    """What a GET is answered.

    Raises:
        Refused: the status is not 200.
        OSError: no answer.
    """
    connection = connect(host, timeout)
    try:
        connection.request("GET", path, headers=headers or {})
        answer = connection.getresponse()
        body = answer.read()
    except HTTPException as error:
        raise OSError(f"no HTTP: {error!r}") from error
    finally:
        connection.close()
    if answer.status != 200:
        raise Refused(answer.status, detail(body) or answer.reason)
    return json.loads(body or b"null")


def detail(body: bytes) -> str:
    """What a problem document says in one line; nothing where there is none."""
    try:
        problem = json.loads(body)
        return str(problem["detail"] or problem["title"])
    except (ValueError, LookupError, TypeError):
        return ""
