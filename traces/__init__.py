"""Which trace a request and its events belong to: their request id says it; nothing else is carried along."""

from __future__ import annotations

import hashlib
import re
from typing import NamedTuple
from urllib.parse import urlsplit

# nginx' $request_id, or TRACE-SPAN.
NAMED = re.compile(r"([0-9a-f]{32})(?:-([0-9a-f]{16}))?", re.IGNORECASE)
LOW = 2**64 - 1


class Place(NamedTuple):
    """A trace, and a span in it: the one that caused what has this request id."""

    trace: int
    span: int
    is_given: bool  # that span is somebody else's, and not the request's own


def place(request_id: str) -> Place:
    """The place that a request id names, or, when it names none, one that is always the same for this id.

    32 hexadecimal digits are the trace, and their second half is the span of the request. TRACE-SPAN names
    the span that caused the request, or the event.
    """
    if found := NAMED.fullmatch(request_id):
        trace, span = int(found[1], 16), int(found[2] or found[1][16:], 16)
        if trace and span:  # https://www.w3.org/TR/trace-context/: neither may be zero
            return Place(trace, span, bool(found[2]))
    trace = int.from_bytes(hashlib.blake2b(request_id.encode(), digest_size=16).digest(), "big")
    return Place(trace, trace & LOW, False)


def receiver(url: str) -> str:
    """The address of an OTLP receiver, checked.

    Raises:
        ValueError: it is none, or holds a user or a password, which would get into logs.
    """
    try:
        parts = urlsplit(url)
        good = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        good = False
    if not good or re.search(r"[\s@?#]", url):
        raise ValueError("Input should be http://HOST:PORT or https://HOST:PORT, without user and password")
    return url
