"""Who may connect, and who may listen to what."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from urllib.parse import urlsplit

import jwt
from starlette.requests import HTTPConnection

from asgi_app.settings import Settings

COOKIE = "corkboard_ticket"
ALGORITHM = "HS256"


@dataclass(frozen=True)
class Ticket:
    """What a valid ticket says: whose it is, since and until when (Unix time), for which topics (globs)."""

    subject: str
    issued: float
    expires: float
    topics: tuple[str, ...]


def origin_allowed(connection: HTTPConnection, settings: Settings) -> bool:
    """Whether the page that asks is one of ours. Programs other than browsers send no Origin and may ask.

    Browsers let any page open a WebSocket anywhere, with the cookies of there: RFC 6455 section 10.2.
    """
    origin = connection.headers.get("origin")
    if origin is None:
        return True
    if settings.allowed_origins:
        return origin in settings.allowed_origins
    try:
        return urlsplit(origin).netloc == connection.headers.get("host")
    except ValueError:
        return False


def ticket_of(connection: HTTPConnection, keys: Sequence[str]) -> Ticket | None:
    """The ticket that comes with a request: in the query, as a bearer token, or as the cookie.

    A ticket that is expired or not ours counts as none.
    """
    scheme, _, token = connection.headers.get("authorization", "").partition(" ")
    given = (
        connection.query_params.get("ticket")
        or (token.strip() if scheme.lower() == "bearer" else "")
        or connection.cookies.get(COOKIE)
    )
    for key in keys if given else ():
        try:
            claims = jwt.decode(
                given,  # type: ignore[arg-type]
                key,
                algorithms=[ALGORITHM],
                options={"require": ["sub", "exp", "iat", "topics"], "verify_iat": False},
            )
            return Ticket(claims["sub"], claims["iat"], claims["exp"], tuple(claims["topics"]))
        except (jwt.InvalidTokenError, TypeError):
            continue
    return None


def may_listen(topic: str, ticket: Ticket | None, settings: Settings) -> str | None:
    """Why not, in words for the client; None when it may."""
    if any(fnmatchcase(topic, pattern) for pattern in settings.public_topics):
        return None
    if ticket is None or ticket.expires <= time.time():
        return f"{topic} needs a ticket: POST /api/tickets"
    if any(fnmatchcase(topic, pattern) for pattern in ticket.topics):
        return None
    return f"the ticket does not open {topic}"
