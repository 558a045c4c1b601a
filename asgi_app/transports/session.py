"""What a connected client may say, and what it listens to. Knows nothing of how bytes travel."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Protocol

from pydantic import BaseModel, ValidationError
from redis.exceptions import RedisError

from asgi_app.settings import Settings
from asgi_app.tickets import Ticket, may_listen
from asgi_app.topics.cursor import Cursor
from asgi_app.topics.hub import Client, Hub
from asgi_app.transports.messages import Error, Ping, Pong, Subscribe, client_message

log = logging.getLogger(__name__)

MAX_TOPICS = 100
MAX_MESSAGES = 100  # a second
# What may wait for one client, in bytes and in seconds without any progress.
MAX_BYTES = 1024 * 1024
SEND_SECONDS = 10.0

# https://www.iana.org/assignments/websocket/websocket.xhtml#close-code-number
BINARY = 1003
TOO_MANY_MESSAGES = 1008
RESTARTING = 1012
TRY_AGAIN = 1013
TICKET_EXPIRED = 4401
REVOKED = 4403


class ClientGone(Exception):
    """The client left while it was being served."""


class Connection(Client, Protocol):
    """The writing side of a WebSocket."""

    def say(self, json: bytes) -> None:
        """Takes a message of the sidecar's own."""

    def close(self, code: int, reason: str) -> None:
        """Ends the connection, soon; what is written afterwards is dropped."""


class Session:
    """One client's topics."""

    def __init__(
        self, connection: Connection, hub: Hub, settings: Settings, ticket: Ticket | None = None
    ) -> None:
        self.ticket = ticket
        self.on_end: Callable[[], None] | None = None
        self._connection = connection
        self._hub = hub
        self._settings = settings
        self._topics: set[str] = set()
        self._heard: list[float] = []  # when the last messages came, seconds

    async def handle(self, text: str) -> None:
        """Does what one message asks for. Never fails; may close the connection."""
        if self._too_many():
            self.close(TOO_MANY_MESSAGES, f"more than {MAX_MESSAGES} messages a second")
            return
        try:
            message = client_message.validate_json(text)
        except ValidationError as error:
            first = error.errors(include_url=False, include_context=False, include_input=False)[0]
            where = ".".join(str(part) for part in first["loc"][1:])
            self._say(Error(code="bad_message", detail=f"{where}: {first['msg']}" if where else first["msg"]))
            return
        if isinstance(message, Ping):
            self._say(Pong())
        elif isinstance(message, Subscribe):
            await self._subscribe(message)
        elif message.topic in self._topics:
            self._leave(message.topic)

    def expired(self) -> None:
        """The ticket's time is over. Who listens to public topics only may stay."""
        self.ticket = None
        if any(may_listen(topic, None, self._settings) is not None for topic in self._topics):
            self.close(TICKET_EXPIRED, "the ticket has expired: get a new one, come back")

    def revoked(self) -> None:
        """The ticket was taken back."""
        self.close(REVOKED, "the ticket was revoked")

    def close(self, code: int, reason: str) -> None:
        """Ends the connection."""
        self._connection.close(code, reason)

    def end(self) -> None:
        """The connection is gone."""
        for topic in tuple(self._topics):
            self._leave(topic)
        # Only once, and no longer held: it holds the session.
        on_end, self.on_end = self.on_end, None
        if on_end is not None:
            on_end()

    async def _subscribe(self, message: Subscribe) -> None:
        topic, had_ticket = message.topic, self.ticket is not None
        if (refusal := may_listen(topic, self.ticket, self._settings)) is not None:
            self._say(Error(code="not_allowed", detail=refusal))
            return
        if topic in self._topics:
            self._leave(topic)
        elif len(self._topics) >= MAX_TOPICS:
            self._say(Error(code="too_many_topics", detail=f"at most {MAX_TOPICS} topics a connection"))
            return
        try:
            await self._hub.subscribe(
                topic, Cursor.parse(message.since) if message.since else None, self._connection
            )
        except (RedisError, TimeoutError):
            self.close(TRY_AGAIN, "the store does not answer")
        except ClientGone:
            log.debug("gone before it was subscribed")
        else:
            self._topics.add(topic)
            if had_ticket and self.ticket is None:  # it has expired meanwhile
                self.expired()

    def _leave(self, topic: str) -> None:
        self._topics.discard(topic)
        self._hub.unsubscribe(topic, self._connection)

    def _too_many(self) -> bool:
        now = time.monotonic()
        self._heard.append(now)
        return len(self._heard) > MAX_MESSAGES and now - self._heard.pop(0) < 1

    def _say(self, message: BaseModel) -> None:
        self._connection.say(message.model_dump_json(exclude_none=True).encode())
