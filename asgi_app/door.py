"""The one door for WebSockets, event streams and polls: who comes in, and how many."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass

from starlette.requests import HTTPConnection, Request
from starlette.responses import Response

from asgi_app import metrics
from asgi_app.problems import problem
from asgi_app.settings import Settings
from asgi_app.tickets import Ticket, may_listen, origin_allowed, ticket_of
from asgi_app.topics.reader import Reader


@dataclass(frozen=True)
class Guest:
    """Somebody who was let in."""

    address: str
    ticket: Ticket | None


class Door:
    """Counts who is inside. Every `admit` that gives a guest needs a `leave`."""

    def __init__(self, settings: Settings, reader: Reader) -> None:
        self.closing = False  # the process drains: nobody comes in any more
        self._settings = settings
        self._keys = settings.keys()
        self._reader = reader
        self._inside: Counter[str] = Counter()

    def admit(self, connection: HTTPConnection, topic: str | None) -> Guest | Response:
        """A guest, or the refusal: 401, 403, 429 or 503."""
        answer = self._admit(connection, topic)
        status = str(answer.status_code) if isinstance(answer, Response) else "accepted"
        metrics.handshakes.labels(connection.scope["path"], status).inc()
        return answer

    def leave(self, guest: Guest) -> None:
        """The guest is gone."""
        self._inside[guest.address] -= 1
        if not self._inside[guest.address]:
            del self._inside[guest.address]
        metrics.connections.dec()

    def seconds_left(self, guest: Guest, topic: str) -> float | None:
        """How long the guest may listen to the topic; None for as long as it likes."""
        if guest.ticket is None or may_listen(topic, None, self._settings) is None:
            return None
        return seconds_left(guest.ticket)

    def _admit(self, connection: HTTPConnection, topic: str | None) -> Guest | Response:
        def refuse(status: int, detail: str) -> Response:
            return problem(status, detail, connection.headers.get("x-request-id", ""))

        if not origin_allowed(connection, self._settings):
            return refuse(403, "Pages of this origin may not connect: see ALLOWED_ORIGINS.")
        ticket = ticket_of(connection, self._keys)
        if ticket is not None and self._reader.is_revoked(ticket.subject, ticket.issued):
            return refuse(403, "The ticket was revoked.")
        if topic is not None and (refusal := may_listen(topic, ticket, self._settings)) is not None:
            return refuse(401 if ticket is None else 403, f"{refusal}.")
        if self.closing:
            return refuse(503, "This process is about to end; another one serves you.")
        if not self._reader.ready:
            return refuse(503, "The store does not answer right now; try again.")
        address = client_address(connection)
        if self._inside[address] >= self._settings.max_sockets_per_client:
            return refuse(429, "Too many connections from your address: see MAX_SOCKETS_PER_CLIENT.")
        if self._inside.total() >= self._settings.max_sockets:
            return refuse(503, "This process is full: see MAX_SOCKETS and ASGI_REPLICAS.")
        self._inside[address] += 1
        metrics.connections.inc()
        return Guest(address, ticket)


def client_address(connection: HTTPConnection) -> str:
    """Where the client is. Nginx says it in the last place of X-Forwarded-For, and nobody else gets here."""
    forwarded = connection.headers.get("x-forwarded-for", "").rpartition(",")[2].strip()
    return forwarded or (connection.client.host if connection.client else "")


async def disconnected(request: Request) -> None:
    """Returns when the client has gone."""
    while (await request.receive())["type"] != "http.disconnect":
        pass


def seconds_left(ticket: Ticket | None) -> float | None:
    """How long a ticket is still good for; None without one."""
    return None if ticket is None else max(0.0, ticket.expires - time.time())
