"""Events in the forms in which they are written, each form made once, however many read it."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

from websockets.frames import Frame, Opcode


class Event:
    """One event as Redis keeps it: JSON, never parsed here."""

    __slots__ = ("_frame", "_id", "json")

    def __init__(self, id: bytes, json: bytes) -> None:  # noqa: A002  (the field's own name)
        self._id = id
        self.json = json
        self._frame: bytes | None = None

    @property
    def frame(self) -> bytes:
        """A WebSocket text frame, unmasked, as servers send it: RFC 6455 section 5."""
        if self._frame is None:
            self._frame = frame(self.json)
        return self._frame

    @property
    def sse(self) -> bytes:
        """An event of an event stream: https://html.spec.whatwg.org/multipage/server-sent-events.html"""
        return b"id: %b\ndata: %b\n\n" % (self._id, self.json)


class Batch:
    """Consecutive events of one topic that are written together."""

    def __init__(self, events: Sequence[Event]) -> None:
        self.events = events

    @property
    def messages(self) -> Sequence[bytes]:
        """All of them as JSON."""
        return [event.json for event in self.events]

    @cached_property
    def frames(self) -> bytes:
        """All of them as WebSocket frames."""
        return b"".join([event.frame for event in self.events])

    @cached_property
    def sse(self) -> bytes:
        """All of them as part of an event stream."""
        return b"".join([event.sse for event in self.events])


class Notice(Batch):
    """Something that is said along with the events, but is none of them: it has no id, and is not kept."""

    def __init__(self, name: str, json: bytes) -> None:
        super().__init__(())
        self._name = name
        self._json = json

    @property
    def messages(self) -> Sequence[bytes]:
        """The one message."""
        return [self._json]

    @cached_property
    def frames(self) -> bytes:
        """As a WebSocket frame."""
        return frame(self._json)

    @cached_property
    def sse(self) -> bytes:
        """As an event of a name of its own."""
        return b"event: %b\ndata: %b\n\n" % (self._name.encode(), self._json)


def frame(json: bytes) -> bytes:
    """JSON as one WebSocket text frame. Right only where no extension was negotiated."""
    return Frame(Opcode.TEXT, json).serialize(mask=False)
