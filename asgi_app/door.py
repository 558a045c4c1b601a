"""Admission of WebSockets, event streams and polls: from which pages, with which ticket, and how many."""

from __future__ import annotations

from functools import cache, lru_cache
from urllib.parse import parse_qsl, urlsplit

from starlette.exceptions import HTTPException
from starlette.requests import HTTPConnection

from asgi_app import metrics, tickets
from asgi_app.settings import Settings
from asgi_app.tickets import Ticket
from asgi_app.topics.budget import Allowance, Allowances
from asgi_app.topics.listener import Listener, Listeners
from asgi_app.topics.source import Source

# A counter's child with its labels, found once: `labels` costs more than what is done with its answer.
_outcomes = cache(metrics.handshakes.labels)


class Door:
    """Lets clients in, and counts those inside."""

    def __init__(self, settings: Settings, reader: Source, listeners: Listeners) -> None:
        self.closing = False  # the process drains: no client is let in any more
        self.listeners = listeners
        self._settings = settings
        self._keys = settings.keys()
        self._is_public = tickets.matcher(settings.public_topics)
        self._reader = reader
        self.allowances = Allowances(settings)
        self._total = 0

    def admit(self, connection: HTTPConnection, topic: str | None) -> Admission:
        """Lets in a client that asks for `topic`, or for none yet. `Admission.leave` frees its place.

        Raises:
            HTTPException: 401, 403, 429 or 503; nothing is left behind.
        """
        outcome = "500"
        try:
            ticket = self._check(connection, topic)
            admission = Admission(self, self.allowances.of(client_address(connection)), ticket)
            outcome = "accepted"
        except HTTPException as refusal:
            outcome = str(refusal.status_code)
            raise
        finally:
            _outcomes(connection.scope["path"], outcome).inc()
        return admission

    def refusal(self, topic: str, ticket: Ticket | None) -> str | None:
        """Why the holder of the ticket may not listen to the topic; None when it may."""
        return None if self._is_public(topic) else tickets.refusal(topic, ticket)

    def unavailable(self) -> str | None:
        """Why this process serves no one right now; None when it does."""
        if self.closing:
            return "This process is about to end; another one serves you."
        return None if self._reader.ready else "Redis is not responding; try again."

    def take_place(self, allowance: Allowance) -> None:
        """Counts one more client of this address, unless there are too many.

        Raises:
            HTTPException: 429 or 503.
        """
        if allowance.sockets >= self._settings.max_sockets_per_client:
            raise HTTPException(429, "Too many connections from your address: see MAX_SOCKETS_PER_CLIENT.")
        if self._total >= self._settings.max_sockets:
            raise HTTPException(503, "This process is full: see MAX_SOCKETS and ASGI_REPLICAS.")
        allowance.sockets += 1
        self._total += 1
        metrics.connections.inc()

    def free_place(self, allowance: Allowance) -> None:
        """Undoes `take_place`."""
        self._total -= 1
        allowance.sockets -= 1
        metrics.connections.dec()

    def _check(self, connection: HTTPConnection, topic: str | None) -> Ticket | None:
        if not origin_allowed(connection, self._settings.allowed_origins):
            raise HTTPException(
                403, "Pages of this origin may not connect: see ALLOWED_ORIGINS and TRUSTED_PROXIES."
            )
        token = _token(connection)
        ticket = tickets.read(token, self._keys) if token else None
        if ticket is not None and self._reader.is_revoked(ticket.subject, ticket.issued):
            raise HTTPException(403, "The ticket was revoked.")
        if topic is not None and (refusal := self.refusal(topic, ticket)) is not None:
            raise HTTPException(401 if ticket is None else 403, f"{refusal}.")
        if (reason := self.unavailable()) is not None and (self.closing or not self._reader.serves):
            raise HTTPException(503, reason)
        return ticket


class Admission:
    """The place of one client that was let in, from its making until `leave`."""

    __slots__ = ("_door", "_listener", "allowance", "ticket")

    def __init__(self, door: Door, allowance: Allowance, ticket: Ticket | None) -> None:
        door.take_place(allowance)
        self.ticket = ticket
        self.allowance = allowance
        self._door: Door | None = door
        self._listener: Listener | None = None

    def serve(self, listener: Listener) -> None:
        """From now on revocation and draining reach the client through this listener."""
        if self._door is not None:
            self._listener = listener
            self._door.listeners.add(listener, self.ticket)

    def leave(self) -> None:
        """Gives the place back. Calling it again does nothing."""
        door, self._door = self._door, None
        if door is not None:
            if self._listener is not None:
                door.listeners.discard(self._listener)
                self._listener = None
            door.free_place(self.allowance)


def origin_allowed(connection: HTTPConnection, allowed: tuple[str, ...]) -> bool:
    """Whether the page that asks may connect. Programs other than browsers send no Origin, and may.

    Browsers let any page open a WebSocket anywhere, with the cookies of there: RFC 6455 section 10.2. Without
    a list the page must be of the origin that was asked for: scheme, host and port (RFC 6454 section 5).
    """
    origin = _header(connection, b"origin")
    if origin is None:
        return True
    if allowed:
        return origin in allowed
    # nginx, or what terminates TLS in front of it, knows how the client came.
    scheme = _header(connection, b"x-forwarded-proto") or connection.scope.get("scheme")
    here = f"{'https' if scheme in ('https', 'wss') else 'http'}://{_header(connection, b'host') or ''}"
    return (found := _origin(origin)) is not None and found == _origin(here)


@lru_cache(maxsize=64)
def _origin(text: str) -> tuple[str, str, int] | None:
    # Scheme, host, port; None when the text is not an origin and nothing else.
    try:
        parts = urlsplit(text)
        port = parts.port or {"http": 80, "https": 443}[parts.scheme]
    except (ValueError, KeyError):
        return None
    if not parts.hostname or "@" in parts.netloc or parts.path or parts.query or parts.fragment:
        return None
    return parts.scheme, parts.hostname, port


def client_address(connection: HTTPConnection) -> str:
    """The client's address: nginx, the only one with a way here, puts it last in X-Forwarded-For."""
    forwarded = (_header(connection, b"x-forwarded-for") or "").rpartition(",")[2].strip()
    client = connection.scope.get("client")
    return forwarded or (client[0] if client else "")


def fields(connection: HTTPConnection) -> dict[str, str]:
    """The query's fields; of one that comes twice, the last."""
    query = str(connection.scope["query_string"], "latin-1")
    if "%" in query or "+" in query:
        return dict(parse_qsl(query, keep_blank_values=True))
    # Most are plain. The parser would take ten times as long, and Starlette's mapping twice as long as that.
    return dict([pair.partition("=")[::2] for pair in query.split("&") if pair])


def _token(connection: HTTPConnection) -> str | None:
    # From the query, as a bearer token, or from the cookie.
    scheme, _, bearer = (_header(connection, b"authorization") or "").partition(" ")
    return (
        fields(connection).get("ticket")
        or (bearer.strip() if scheme.lower() == "bearer" else "")
        or (connection.cookies.get(tickets.COOKIE) if _header(connection, b"cookie") else None)
    )


def _header(connection: HTTPConnection, name: bytes) -> str | None:
    # The first one of this name, in small letters as in ASGI. Starlette's mapping takes ten times as long.
    for given, value in connection.scope["headers"]:
        if given == name:
            return str(value, "latin-1")
    return None
