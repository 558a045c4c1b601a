"""Tickets: signed tokens that say whose they are, until when, and which topics they open."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase, translate
from typing import Annotated

import jwt
from pydantic import BaseModel, ConfigDict, Field

from asgi_app import jsontext, limits

COOKIE = "corkboard_ticket"
ALGORITHM = "HS256"


# Unix time, up to the year 5138.
Seconds = Annotated[float, Field(ge=0, le=1e11)]


class _Claims(BaseModel):
    # PyJWT checks the signature only: it takes "1" for a time, and fails at an infinite one.
    model_config = ConfigDict(strict=True, cache_strings="none")

    sub: str  # may be empty: nobody in particular, and nobody to revoke
    iat: Seconds
    nbf: Seconds = 0
    exp: Seconds
    aud: None = None  # a token for somebody else is no ticket
    topics: list[str]
    me: dict[str, object] | None = None


_signed = jwt.PyJWS()


@dataclass(frozen=True, slots=True)
class Ticket:
    """What a valid ticket says. Times are Unix times; topics are globs."""

    subject: str
    issued: float
    expires: float
    topics: tuple[str, ...]
    me: bytes | None = None  # who the holder is, for the others on a topic: a JSON object

    def seconds_left(self) -> float:
        """How long it is still good for; 0 when it has expired."""
        return max(0.0, self.expires - time.time())

    def opens(self, topic: str) -> bool:
        """Whether it is for this topic, whatever the time is."""
        return any(fnmatchcase(topic, pattern) for pattern in self.topics)


def read(token: str, keys: Sequence[str]) -> Ticket | None:
    """The ticket in a token; None when it is not valid now, not a ticket, or signed with none of the keys."""
    for key in keys:
        try:
            claims = _Claims.model_validate_json(_signed.decode(token, key, algorithms=[ALGORITHM]))
        except (jwt.InvalidTokenError, ValueError, RecursionError):
            continue
        if claims.nbf <= time.time() < claims.exp:
            return Ticket(claims.sub, claims.iat, claims.exp, tuple(claims.topics), _me(claims))
    return None


def _me(claims: _Claims) -> bytes | None:
    # Who else issues tickets may not know the bound. The ticket is good all the same.
    try:
        return None if claims.me is None else jsontext.compact(claims.me, limits.ME_BYTES)
    except ValueError:
        return None


def matcher(globs: Sequence[str]) -> Callable[[str], object]:
    """Tells whether a text matches one of the globs, in a fifth of the time that `fnmatchcase` takes."""
    return re.compile("|".join(map(translate, globs)) or "(?!)").match


def refusal(topic: str, ticket: Ticket | None) -> str | None:
    """Why the holder of the ticket may not listen to a topic that is not public; None when it may."""
    if ticket is None or not ticket.seconds_left():
        return f"{topic} needs a valid ticket"
    if ticket.opens(topic):
        return None
    return f"the ticket does not open {topic}"
