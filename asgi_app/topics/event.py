"""Events in the forms in which they are written. Each form is made once, however many listeners there are."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

from websockets.frames import Frame, Opcode


class Event:
    """One event as Redis keeps it: JSON, never parsed here, and its id `EPOCH-OFFSET`."""

    __slots__ = ("_frame", "id", "json")

    def __init__(self, id: bytes, json: bytes) -> None:  # noqa: A002  (the field's own name)
        self.id = id
        self.json = json
        self._frame: bytes | None = None

    @property
    def frame(self) -> bytes:
        """A WebSocket text frame, unmasked, as servers send it: RFC 6455 section 5."""
        if self._frame is None:
            self._frame = frame(self.json)
        return self._frame


class Batch:
    """Consecutive events of one topic that are written together."""

    def __init__(self, events: Sequence[Event]) -> None:
        self.events = events

    @cached_property
    def size(self) -> int:
        """Bytes of their JSON."""
        return sum([len(event.json) for event in self.events])

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
        return b"".join([b"id: %b\ndata: %b\n\n" % (event.id, event.json) for event in self.events])


class Notice(Batch):
    """A message among the events that is not one of them: it has no id, and is not kept."""

    def __init__(self, name: str, json: bytes) -> None:
        super().__init__(())
        self.name = name
        self._json = json

    @property
    def messages(self) -> Sequence[bytes]:
        return [self._json]

    @cached_property
    def frames(self) -> bytes:
        return frame(self._json)

    @cached_property
    def sse(self) -> bytes:
        return b"event: %b\ndata: %b\n\n" % (self.name.encode(), self._json)


class Whisper(Notice):
    """What a client says to the others on the topic."""

    def __init__(self, json: bytes, speaker: object) -> None:
        super().__init__("whisper", json)
        self.speaker = speaker  # the listener that gets nothing of it; None if it is in another process


class Joined(Batch):
    """Notices that are written together."""

    def __init__(self, notices: Sequence[Notice]) -> None:
        super().__init__(())
        self._notices = notices

    @property
    def messages(self) -> Sequence[bytes]:
        return [message for notice in self._notices for message in notice.messages]

    @cached_property
    def frames(self) -> bytes:
        return b"".join([notice.frames for notice in self._notices])

    @cached_property
    def sse(self) -> bytes:
        return b"".join([notice.sse for notice in self._notices])


def frame(json: bytes) -> bytes:
    """JSON as one WebSocket text frame. Right only where no extension was negotiated."""
    return Frame(Opcode.TEXT, json).serialize(mask=False)
