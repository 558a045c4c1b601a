"""What client and sidecar say to each other, as JSON text.

docs/reference/asyncapi.json is made from these models.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Annotated, Literal, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, TypeAdapter
from pydantic_core import to_json

from asgi_app import limits
from asgi_app.topics.cursor import Cursor
from asgi_app.topics.keys import TOPIC_PATTERN
from asgi_app.topics.people import Person

Data = TypeVar("Data")


def _cursor(text: str) -> str:
    Cursor.parse(text)
    return text


def _at_most(size: int) -> Callable[[Data], Data]:
    """A validator: data that is at most so many bytes as JSON."""

    def check(data: Data) -> Data:
        if len(to_json(data)) > size:
            raise ValueError(f"at most {size} bytes of JSON")
        return data

    return check


TopicName = Annotated[str, StringConstraints(pattern=TOPIC_PATTERN)]
CursorText = Annotated[str, AfterValidator(_cursor)]


class _Message(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class Subscribe(_Message):
    """From the client: events of `topic` from now on, or from the one after `since` on.

    `me` says to the others on the topic who this client is, unless its ticket says so.
    """

    op: Literal["subscribe"] = "subscribe"
    topic: TopicName
    since: CursorText | None = None
    me: Annotated[dict[str, object], AfterValidator(_at_most(limits.ME_BYTES))] | None = None


class Unsubscribe(_Message):
    """From the client: no more events of `topic`."""

    op: Literal["unsubscribe"] = "unsubscribe"
    topic: TopicName


class Ping(_Message):
    """From the client: is the connection alive?"""

    op: Literal["ping"] = "ping"


class Whisper(_Message):
    """From the client: `data` for the others on `topic`, one of its own topics. It is not kept."""

    op: Literal["whisper"] = "whisper"
    topic: TopicName
    data: Annotated[object, AfterValidator(_at_most(limits.WHISPER_BYTES))]


class Subscribed(_Message):
    """To the client, first for a topic: where it begins.

    Not `recovered`: events before it are lost to this client, which must fetch the list again.
    """

    op: Literal["subscribed"] = "subscribed"
    topic: str
    cursor: str
    recovered: bool


@lru_cache(maxsize=128)
def subscribed(topic: str, cursor: Cursor, recovered: bool) -> bytes:
    """`Subscribed` as JSON, made once for many clients that begin at the same position."""
    return Subscribed(topic=topic, cursor=str(cursor), recovered=recovered).model_dump_json().encode()


class EventMessage(_Message):
    """To the client: an event. `id` is the cursor after it; the offsets of a topic rise by exactly one.

    Redis puts it together and the sidecar passes it on unread, so this model is documentation.
    """

    op: Literal["event"] = "event"
    topic: str
    id: CursorText
    type: str
    time: str
    request_id: str
    data: object


class Presence(_Message):
    """To the client, when the number changes, at most once per second: how many listen to the topic."""

    op: Literal["presence"] = "presence"
    topic: str
    count: int


class People(_Message):
    """To the client: who is on the topic, as far as they say. `people` comes first, and is all of them.

    Later come `joined`, which may hold known ones with new data, and `left`, their ids. Beyond the first 50
    they are only counted.
    """

    op: Literal["people"] = "people"
    topic: str
    count: int
    people: list[Person] | None = None
    joined: list[Person] | None = None
    left: list[str] | None = None


class Whispered(_Message):
    """To the client: what another client on the topic whispers. `from` is another for each connection."""

    op: Literal["whisper"] = "whisper"
    topic: str
    from_: str = Field(serialization_alias="from")
    data: object


class Behind(_Message):
    """To the client: Redis is not responding, so that events after `since` (RFC 3339) may be missing.

    Until `current` comes.
    """

    op: Literal["behind"] = "behind"
    since: str


class Current(_Message):
    """To the client, after `behind`: what was missing has been sent, and events arrive again."""

    op: Literal["current"] = "current"


class Pong(_Message):
    """To the client: the answer to a ping."""

    op: Literal["pong"] = "pong"


class Error(_Message):
    """To the client: what was wrong with its message, and with which subscribe. The connection stays open."""

    op: Literal["error"] = "error"
    code: Literal["bad_message", "not_allowed", "too_many_topics", "no_whispers", "too_many_whispers"]
    detail: str
    topic: str | None = None


ClientMessage = Annotated[Subscribe | Unsubscribe | Whisper | Ping, Field(discriminator="op")]
client_message: TypeAdapter[Subscribe | Unsubscribe | Whisper | Ping] = TypeAdapter(ClientMessage)
