"""What every transport implements, and the set of all listeners of this process."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple, Protocol

from asgi_app import limits
from asgi_app.tickets import Ticket
from asgi_app.topics.cursor import Cursor
from asgi_app.topics.event import Batch, Notice


class Ending(NamedTuple):
    """Why the sidecar ends a connection: a WebSocket close code, by which all transports count, and a reason.

    https://www.iana.org/assignments/websocket/websocket.xhtml#close-code-number
    """

    code: int
    reason: str


RESTARTING = Ending(1012, "restarting: come back")
BACKLOG = Ending(1013, f"too slow: more than {limits.BACKLOG_BYTES // 1024} KiB waits to be read")
BEHIND = Ending(1013, f"too slow: behind for {limits.BEHIND_SECONDS:.0f} s")
UNAVAILABLE = Ending(1013, "Redis is not responding: come back")
CROWDED = Ending(1013, "too many replays or topics at the moment: come back")
TICKET_EXPIRED = Ending(4401, "the ticket has expired: get a new one, come back")
REVOKED = Ending(4403, "the ticket was revoked")


class Gone(Exception):
    """The listener wants no more: its client has left, or has what it asked for."""


class Listener(Protocol):
    """One connected client: a WebSocket, an event stream, a poll. All but `drained` neither wait nor fail."""

    def write(self, batch: Batch) -> None:
        """Takes the next events, or a notice. The same batch is written to all listeners of a topic."""

    def whisper(self, batch: Batch) -> None:
        """Takes what others whisper, unless something still waits to be read: that comes first."""

    def subscribed(self, topic: str, cursor: Cursor, recovered: bool) -> None:
        """Takes the position from which events follow.

        Not `recovered`: the events between the listener's last one and `cursor` are lost to it.
        """

    async def drained(self) -> None:
        """Returns when there is room for more.

        Raises:
            Gone: there is no need for more.
        """

    def end(self, why: Ending) -> None:
        """Ends the connection in the transport's own way, soon; what is written afterwards is dropped."""


class Listeners:
    """All listeners of this process, with the ticket that each showed."""

    def __init__(self) -> None:
        self._tickets: dict[Listener, Ticket | None] = {}
        self.news: Notice | None = None  # that each new client is told first

    def __iter__(self) -> Iterator[Listener]:
        return iter(tuple(self._tickets))

    def __contains__(self, listener: Listener) -> bool:
        return listener in self._tickets

    def add(self, listener: Listener, ticket: Ticket | None) -> None:
        """Adds one; `discard` undoes it."""
        self._tickets[listener] = ticket

    def discard(self, listener: Listener) -> None:
        """Removes one that may have been removed before."""
        self._tickets.pop(listener, None)

    def revoke(self, subject: str, until: float) -> None:
        """Ends all who came with a ticket of this subject that was issued `until` then (Unix time)."""
        for listener, ticket in tuple(self._tickets.items()):
            if ticket is not None and ticket.subject == subject and ticket.issued <= until:
                listener.end(REVOKED)
