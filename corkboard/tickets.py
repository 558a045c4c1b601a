"""Tickets: what the app lets somebody listen to, in a form that the sidecar can check by itself."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from typing import Any, NamedTuple

import jwt

from corkboard import settings, store

ALGORITHM = "HS256"
ME_BYTES = 256


class Ticket(NamedTuple):
    """A signed ticket, and when it expires (UTC)."""

    token: str
    expires: datetime


def subject_of(subject: str | int | None) -> str:
    """A subject as tickets carry it: a user's id may be a number; None is nobody."""
    return "" if subject is None else str(subject)


def sign(subject: str | int | None, topics: Sequence[str], me: Mapping[str, Any] | None = None) -> Ticket:
    """A ticket for CORKBOARD_TICKET_SECONDS.

    Args:
        subject: whose it is: what `revoke` takes. May be empty.
        topics: globs of the topics that it opens, such as `user:7` or `team:3:*`.
        me: who it is, for the others on these topics: a name, say. At most 256 bytes of JSON.

    Raises:
        ValueError: `me` is larger.
        NotConfigured: there is no key.
    """
    loaded = settings.load()
    now = time.time()
    expires = int(now) + loaded.ticket_seconds
    claims: dict[str, Any] = {"sub": subject_of(subject), "iat": now, "exp": expires, "topics": list(topics)}
    if me is not None:
        if len(json.dumps(me, ensure_ascii=False, separators=(",", ":")).encode()) > ME_BYTES:
            raise ValueError(f"`me` is at most {ME_BYTES} bytes of JSON")
        claims["me"] = dict(me)
    token = jwt.encode(claims, loaded.signing_key, ALGORITHM)
    return Ticket(token, datetime.fromtimestamp(expires, timezone.utc))


def revoke(subject: str | int) -> None:
    """Takes back every ticket of a subject: its connections are closed on all replicas, within a second.

    Call it when somebody logs out, or must. A ticket that is signed afterwards is good again.

    Raises:
        ValueError: the subject is empty.
        NotConfigured: CORKBOARD_URL is not set.
        StoreUnavailable: Redis is away; call it again.
    """
    if not subject_of(subject):
        raise ValueError("the subject is empty: name whose tickets to revoke")
    loaded = settings.load()
    if not loaded.off:
        times = repr(time.time()), str(loaded.ticket_seconds)
        store.default().call("revoke", ["revoked:{control}"], subject_of(subject), *times, repeat=True)
