"""A user who listens by server-sent events."""

from __future__ import annotations

import json
from collections.abc import Generator
from http.client import HTTPException
from typing import Any
from urllib.parse import urlencode

from loadtest import http, target
from loadtest.users.listener import SILENCE_SECONDS, Ended, Listener


class StreamUser(Listener):
    """An event stream, as EventSource reads it."""

    kind = "SSE"
    weight = 1

    def messages(self, since: str | None) -> Generator[dict[str, Any], None, None]:
        """Yields the sidecar's messages until the stream ends."""
        connection = http.connect(str(self.host), SILENCE_SECONDS)
        headers = target.HEADERS | ({"Last-Event-ID": since} if since else {})
        try:
            connection.connect()
            self.socket = connection.sock
            connection.request("GET", f"/ws/events?{urlencode({'topic': self.topic})}", headers=headers)
            answer = connection.getresponse()
            if answer.status != 200:
                raise Ended(f"{answer.status} {http.detail(answer.read())}".strip())
            buffer = b""
            while data := answer.read1(65536):
                *blocks, buffer = (buffer + data).split(b"\n\n")
                for block in blocks:
                    if message := _parse(block):
                        yield message
        except TimeoutError as error:
            raise Ended(f"silence for {SILENCE_SECONDS:.0f} s") from error
        except HTTPException as error:
            raise Ended(f"the stream broke off: {error!r}") from error
        finally:
            connection.close()
        raise Ended("the stream ended and may be opened again", restarting=True)


def _parse(block: bytes) -> dict[str, Any] | None:
    """The message in a block of the stream; None for comments and `retry`."""
    for line in block.split(b"\n"):
        if line.startswith(b"data: "):
            message: dict[str, Any] = json.loads(line[6:])
            return message
    return None
