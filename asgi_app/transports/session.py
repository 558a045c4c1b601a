"""What the client of a WebSocket may say, and what it listens to. Knows nothing of how bytes travel."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from typing import Protocol

from pydantic import BaseModel, ValidationError
from redis.exceptions import RedisError

from asgi_app import limits, metrics
from asgi_app.door import Admission, Door
from asgi_app.topics.budget import Crowded, Rate, TooManyTopics
from asgi_app.topics.cursor import Cursor
from asgi_app.topics.hub import Hub
from asgi_app.topics.listener import CROWDED, TICKET_EXPIRED, UNAVAILABLE, Ending, Gone, Listener
from asgi_app.topics.people import Person
from asgi_app.transports.messages import (
    Error,
    Ping,
    Pong,
    Subscribe,
    Unsubscribe,
    Whisper,
    client_message,
    whispered,
)

log = logging.getLogger(__name__)

BINARY = Ending(1003, "send text")
TOO_MANY_MESSAGES = Ending(1008, f"more than {limits.MESSAGES_PER_SECOND} messages per second")


class Connection(Listener, Protocol):
    """The writing side of a WebSocket."""

    def say(self, json: bytes) -> None:
        """Takes a message of the sidecar's own."""


class Session:
    """One client's topics. It holds the client's place until `end`."""

    def __init__(self, connection: Connection, hub: Hub, door: Door, admission: Admission) -> None:
        self._connection = connection
        self._hub = hub
        self._door = door
        self._admission = admission
        self._ticket = admission.ticket
        self._topics: set[str] = set()
        self._heard: list[float] = []  # when the last messages came, time.monotonic()
        self._whispers = Rate(limits.WHISPERS_PER_SECOND)
        self._expiry = None
        admission.serve(connection)
        if self._ticket is not None:
            loop = asyncio.get_running_loop()
            self._expiry = loop.call_later(self._ticket.seconds_left(), self._expire)

    def greet(self) -> None:
        """Says what every new client is told first, if there is something."""
        if self._door.listeners.news is not None:
            for message in self._door.listeners.news.messages:
                self._connection.say(message)

    async def handle(self, text: str) -> None:
        """Does what one message asks for. Never fails; may end the connection."""
        if self._too_many():
            self._connection.end(TOO_MANY_MESSAGES)
            return
        try:
            message = client_message.validate_json(text)
        except ValidationError as error:
            first = error.errors(include_url=False, include_context=False, include_input=False)[0]
            where = ".".join(str(part) for part in first["loc"][1:])
            detail = f"{where}: {first['msg']}" if where else first["msg"]
            self._say(Error(code="bad_message", detail=detail, topic=_topic_of(text)))
            return
        if isinstance(message, Ping):
            self._say(Pong())
        elif isinstance(message, Subscribe):
            await self._subscribe(message)
        elif isinstance(message, Whisper):
            self._whisper(message)
        elif isinstance(message, Unsubscribe) and message.topic in self._topics:
            self._leave(message.topic)

    def end(self) -> None:
        """Cleans up, whatever closed the connection. Calling it again does nothing."""
        if self._expiry is not None:
            self._expiry.cancel()
        for topic in tuple(self._topics):
            self._leave(topic)
        self._hub.whispers.forget(self._connection)
        self._admission.leave()

    def _expire(self) -> None:
        # A client that listens to public topics only may stay.
        self._ticket = None
        if any(self._door.refusal(topic, None) is not None for topic in self._topics):
            self._connection.end(TICKET_EXPIRED)

    async def _subscribe(self, message: Subscribe) -> None:
        topic, had_ticket = message.topic, self._ticket is not None
        if (refusal := self._door.refusal(topic, self._ticket)) is not None:
            self._say(Error(code="not_allowed", detail=refusal, topic=topic))
            return
        if topic in self._topics:
            self._leave(topic)
        elif len(self._topics) >= limits.CONNECTION_TOPICS:
            detail = f"at most {limits.CONNECTION_TOPICS} topics per connection"
            self._say(Error(code="too_many_topics", detail=detail, topic=topic))
            return
        since = Cursor.parse(message.since) if message.since else None
        try:
            await self._hub.subscribe(topic, since, self._connection, self._admission.allowance)
        except (RedisError, TimeoutError):
            self._connection.end(UNAVAILABLE)
        except Crowded:
            self._connection.end(CROWDED)
        except TooManyTopics:
            detail = "too many topics that nobody else listens to from your address"
            self._say(Error(code="too_many_topics", detail=detail, topic=topic))
        except Gone:
            log.debug("gone before it was subscribed")
        else:
            self._topics.add(self._hub.topics[topic].name)  # one text for all who listen
            self._introduce(topic, message.me)
            if had_ticket and self._ticket is None:  # it has expired meanwhile
                self._expire()

    def _introduce(self, topic: str, me: bytes | None) -> None:
        ticket = self._ticket
        if ticket is not None and ticket.me is not None and ticket.opens(topic):
            me = ticket.me  # what the app has signed cannot be said otherwise
        if me is None or not self._hub.whispers.allows(topic):
            return
        if not self._admission.allowance.begin_introduction():
            detail = "too many clients of your address say who they are: you listen, and are only counted"
            self._say(Error(code="too_many_introductions", detail=detail))
            return
        person = Person.of(self._hub.whispers.id_of(self._connection), me)
        self._hub.topics[topic].introduce(self._connection, person)

    def _whisper(self, message: Whisper) -> None:
        whispers, topic = self._hub.whispers, message.topic
        if topic not in self._topics or not whispers.allows(topic):
            detail = f"not on {topic}: subscribe first, and see WHISPER_TOPICS"
            self._say(Error(code="no_whispers", detail=detail))
        elif not (self._whispers.take_if_free(1) and self._admission.allowance.whispers.take_if_free(1)):
            metrics.limited.labels("whispers").inc()
            detail = f"more than {limits.WHISPERS_PER_SECOND} a second, or too many from your address"
            self._say(Error(code="too_many_whispers", detail=detail))
        else:
            said = whispered(topic, whispers.id_of(self._connection), message.data)
            whispers.say(topic, self._connection, said)

    def _leave(self, topic: str) -> None:
        self._topics.discard(topic)
        if self._connection in self._hub.topics[topic].people:
            self._admission.allowance.end_introduction()
        self._hub.unsubscribe(topic, self._connection)

    def _too_many(self) -> bool:
        now = time.monotonic()
        self._heard.append(now)
        return len(self._heard) > limits.MESSAGES_PER_SECOND and now - self._heard.pop(0) < 1

    def _say(self, message: BaseModel) -> None:
        self._connection.say(message.model_dump_json(exclude_none=True).encode())


def _topic_of(text: str) -> str | None:
    # What a bad subscribe calls its topic, so that its sender knows which one is meant.
    try:
        message = json.loads(text)
        topic = message["topic"] if message["op"] == "subscribe" else None
    except (ValueError, LookupError, TypeError, RecursionError):
        return None
    # Half of a surrogate pair is not printable, and could not be sent.
    is_echoed = isinstance(topic, str) and len(topic) <= limits.ECHOED_CHARACTERS and topic.isprintable()
    return topic if is_echoed else None
