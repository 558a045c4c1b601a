"""What client and sidecar say to each other, as JSON text. docs/reference/asyncapi.json is made from it."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    PlainValidator,
    StringConstraints,
    TypeAdapter,
)

from asgi_app import jsontext, limits
from asgi_app.topics.cursor import Cursor
from asgi_app.topics.keys import TOPIC_PATTERN


def _cursor(text: str) -> str:
    Cursor.parse(text)
    return text


def _me(said: object) -> bytes:
    if not isinstance(said, dict):
        raise ValueError("an object is expected")
    return jsontext.compact(said, limits.ME_BYTES)


TopicName = Annotated[str, StringConstraints(pattern=TOPIC_PATTERN)]
CursorText = Annotated[str, AfterValidator(_cursor)]
# JSON that is passed on as text.
MeText = Annotated[bytes, PlainValidator(_me, json_schema_input_type=dict[str, object])]
WhisperText = Annotated[
    bytes,
    PlainValidator(lambda data: jsontext.compact(data, limits.WHISPER_BYTES), json_schema_input_type=object),
]


class _Message(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class Subscribe(_Message):
    """From the client: events of `topic` from now on, or from the one after `since` on.

    `me` says to the others on the topic who this client is, unless the ticket for the topic says so.
    """

    op: Literal["subscribe"] = "subscribe"
    topic: TopicName
    since: CursorText | None = None
    me: MeText | None = None


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
    data: WhisperText


class Subscribed(_Message):
    """To the client, first for a topic: where it begins.

    Not `recovered`: events before it are lost to this client, which must fetch the list again.
    """

    op: Literal["subscribed"] = "subscribed"
    topic: str
    cursor: str
    recovered: bool


def subscribed(topic: str, cursor: Cursor, recovered: bool) -> bytes:
    """`Subscribed` as JSON. Neither topics nor cursors have anything to escape."""
    words = topic.encode(), str(cursor).encode(), b"true" if recovered else b"false"
    return b'{"op":"subscribed","topic":"%b","cursor":"%b","recovered":%b}' % words


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


class Person(BaseModel):
    """A connection that says who it is."""

    id: str
    me: dict[str, object]


class People(_Message):
    """To the client: who is on the topic, as far as they say. `people` is all of them, whenever it comes.

    Changes are `joined`, which may hold known ones with new data, and `left`, their ids. Beyond the first 50
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


def whispered(topic: str, from_: str, data: bytes) -> bytes:
    """`Whispered` as JSON, with data that is JSON. Neither topics nor ids have anything to escape."""
    return b'{"op":"whisper","topic":"%b","from":"%b","data":%b}' % (topic.encode(), from_.encode(), data)


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
    code: Literal[
        "bad_message",
        "not_allowed",
        "too_many_topics",
        "too_many_introductions",
        "no_whispers",
        "too_many_whispers",
    ]
    detail: str
    topic: str | None = None


ClientMessage = Annotated[Subscribe | Unsubscribe | Whisper | Ping, Field(discriminator="op")]
# Pydantic would keep the texts of the last 16,384 messages.
client_message: TypeAdapter[Subscribe | Unsubscribe | Whisper | Ping] = TypeAdapter(
    ClientMessage, config=ConfigDict(cache_strings="none")
)
