"""What both clients need of the package `websockets`, which is an extra."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass
from ssl import SSLCertVerificationError
from typing import Any
from urllib.parse import urlsplit

from corkboard.client.core import Core
from corkboard.client.ending import Ending

try:
    from websockets.asyncio.client import ClientConnection as AsyncConnection
    from websockets.asyncio.client import connect as open_async
    from websockets.exceptions import ConnectionClosed, InvalidStatus, WebSocketException
    from websockets.sync.client import ClientConnection as Connection
    from websockets.sync.client import connect as open_sync
except ImportError as error:
    raise ImportError(
        f"corkboard.client needs websockets 15 or newer ({error}): pip install 'corkboard[client]'"
    ) from error

__all__ = ["FAILURES", "AsyncConnection", "Connection", "Target", "ending_of", "open_async", "open_sync"]

# What ends a connection, or an attempt at one. Before Python 3.11 asyncio's TimeoutError is one of its own.
FAILURES = (OSError, WebSocketException, asyncio.TimeoutError)
# A path that is dead never finishes a close handshake.
CLOSE_SECONDS = 1.0
SCHEMES = {"http": "ws", "https": "wss", "ws": "ws", "wss": "wss"}


@dataclass(frozen=True)
class Target:
    """Where to connect, and how.

    Args:
        url: of a site, or of its WebSocket.
        headers: more headers of the handshake.
        options: of `connect` in `websockets`.

    Raises:
        ValueError: the address is none of the two.
    """

    url: str
    headers: Mapping[str, str]
    options: Mapping[str, Any]

    def __post_init__(self) -> None:
        parts = urlsplit(self.url)
        if parts.scheme not in SCHEMES or not parts.hostname:
            raise ValueError(f"{self.url!r} is not the address of a site: expected https://HOST")

    @property
    def address(self) -> str:
        """Of the WebSocket."""
        parts = urlsplit(self.url)
        path = parts.path.rstrip("/")
        path = path if path.endswith("/ws") else f"{path}/ws"
        return parts._replace(scheme=SCHEMES[parts.scheme], path=path, fragment="").geturl()

    def arguments(self, core: Core) -> dict[str, Any]:
        """What `websockets` is told about the next connection."""
        return {
            "additional_headers": {**self.headers, **core.headers()},
            "open_timeout": core.timing.open_within,
            "ping_interval": core.timing.ping_interval(),
            "ping_timeout": core.timing.answer_within,
            "close_timeout": CLOSE_SECONDS,
            "compression": None,
            "max_size": None,  # an event that is too large would come again with the next connection
            **self.options,
        }


def ending_of(error: BaseException) -> Ending:
    """What a failure of `websockets` or of the network means."""
    if isinstance(error, ConnectionClosed):
        if error.rcvd is None:
            return Ending("the connection is dead")
        return Ending(f"closed: {error.rcvd.code} {error.rcvd.reason}".rstrip(), code=error.rcvd.code)
    if isinstance(error, InvalidStatus):
        answer = error.response
        wait = next(iter(answer.headers.get_all("Retry-After")), "")
        return Ending(
            f"refused: {answer.status_code} {_detail(answer.body)}".rstrip(),
            status=answer.status_code,
            retry_after=float(wait) if wait.isascii() and wait.isdigit() else None,
        )
    return Ending(f"no connection: {error!r}", final=isinstance(error, SSLCertVerificationError))


def _detail(body: bytes | bytearray | None) -> str:
    # Corkboard refuses with problem documents; what stands before it may say anything.
    try:
        return str(json.loads(body or b"{}").get("detail", ""))
    except (ValueError, AttributeError):
        return ""
