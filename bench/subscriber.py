"""One subscriber, and how to become one."""

from __future__ import annotations

import socket
import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

MARK = b"~"  # followed by 19 digits: when the event was published, nanoseconds of the monotonic clock
RESET = struct.pack("ii", 1, 0)  # for SO_LINGER: close at once, and leave no TIME_WAIT


class Watcher(Protocol):
    """A loop that reads subscribers, and other sockets as well."""

    def watch(self, sock: socket.socket, on_data: Callable[[], None]) -> None:
        """Calls `on_data` whenever the socket has something to read."""


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
