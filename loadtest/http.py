"""Plain HTTP, which ignores the proxy settings of this machine."""

from __future__ import annotations

import json
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import Any
from urllib.parse import urlsplit


class Refused(OSError):
    """The server answered, but not with a 200."""


def connect(host: str, timeout: float) -> HTTPConnection:
    """A connection to the URL `host`, with `timeout` seconds for each read and write."""
    address = urlsplit(host)
    kind = HTTPSConnection if address.scheme == "https" else HTTPConnection
    return kind(address.netloc, timeout=timeout)


def get_json(host: str, path: str, headers: dict[str, str] | None = None, timeout: float = 5) -> Any:
    """The body of the answer to a GET, decoded.

    Raises:
        Refused: the status is not 200.
        OSError: there is no answer.
    """
    connection = connect(host, timeout)
    try:
        connection.request("GET", path, headers=headers or {})
        answer = connection.getresponse()
        body = answer.read()
    except HTTPException as error:
        raise OSError(f"not HTTP: {error!r}") from error
    finally:
        connection.close()
    if answer.status != 200:
        raise Refused(f"{answer.status} {detail(body) or answer.reason}")
    return json.loads(body or b"null")


def detail(body: bytes) -> str:
    """The detail or title of a problem document; empty if the body is none."""
    try:
        problem = json.loads(body)
        return str(problem["detail"] or problem["title"])
    except (ValueError, LookupError, TypeError):
        return ""
