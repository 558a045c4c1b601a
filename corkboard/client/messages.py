"""What a client hands to its user."""

from __future__ import annotations

from typing import Any, NamedTuple, Union


class Event(NamedTuple):
    """An event. `id` is the topic's cursor after it; `time` is RFC 3339, in UTC."""

    topic: str
    id: str
    type: str
    time: str
    request_id: str
    data: Any


class Lost(NamedTuple):
    """Events of a topic are gone for good: fetch its state again. What follows comes after `cursor`."""

    topic: str
    cursor: str


Item = Union[Event, Lost]


class Refused(Exception):
    """The server does not let this client in, or not to a topic, and another try would not help."""
