"""One subscriber, and how to become one."""

from __future__ import annotations

import socket
from dataclasses import dataclass


@dataclass(frozen=True)
class Entrance:
    """How to become a subscriber: send `request`; on 101 send `hello`; `ready` then says that all is well.

    Who comes back sends `resume` instead, where a server has one, with the last id that `last_id` (a pattern)
    found in an event in place of LAST-ID.
    """

    port: int
    request: bytes
    hello: bytes = b""
    ready: bytes = b""
    resume: bytes = b""
    last_id: bytes = b""


class Subscriber:
    """One connection."""

    __slots__ = ("count", "is_probe", "open", "rest", "sock", "stage")

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.rest = b""
        self.count = 0
        self.stage = "connecting"
        self.open = False
        self.is_probe = False


class Refused(Exception):
    """The server did not let a subscriber in, or threw one out."""
