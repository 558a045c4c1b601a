"""What all listeners have in common: they measure, check, come back where they left off."""

from __future__ import annotations

import random
import time
from abc import abstractmethod
from collections.abc import Generator
from contextlib import closing, suppress
from datetime import datetime
from socket import SHUT_RDWR, socket
from typing import Any, ClassVar
from weakref import WeakSet

import gevent  # type: ignore[import-untyped]
from locust import User, task

from loadtest import names, options, target
from loadtest.delivery import Ledger, fan_out

# The server sends something, or pings, at least every 20 s.
SILENCE_SECONDS = 45.0
CLOSING_SECONDS = 5.0
# Slower clients come back after a random part of this, as good clients do.
BACK_SECONDS = 2.0
# The event's time is cut to milliseconds, so on one clock no event comes from the future.
CLOCK_TOLERANCE = 0.002


class Ended(Exception):
    """The server ended the connection, or refused it; `restarting`: it said so, and that we may come back."""

    def __init__(self, detail: str, restarting: bool = False) -> None:
        super().__init__(detail)
        self.restarting = restarting


class Listener(User):
    """Listens to one topic from its start to its end, over as many connections as that takes."""

    abstract = True
    kind: ClassVar[str]  # the request type of its handshakes
    alive: ClassVar[WeakSet[Listener]] = WeakSet()

    @abstractmethod
    def messages(self, since: str | None) -> Generator[dict[str, Any], None, None]:
        """Opens a connection, sets `socket`, and gives what comes, as in asgi_app/messages.py, to the end.

        Raises:
            Ended, OSError: it ended.
        """

    def on_start(self) -> None:
        """Chooses a room and begins to listen, beside the task: that goes on while the user is stopped."""
        self.room = options.random_room(self.environment)
        self.topic = target.topic(self.room)
        self.ledger = Ledger()
        self._lost = 0  # as far as recorded
        self._resumed = False
        self._away: float | None = None
        self.socket: socket | None = None
        self._listening = gevent.spawn(self._listen)
        Listener.alive.add(self)

    @task
    def listen(self) -> None:
        """Until the user is stopped."""
        self._listening.get()

    def on_stop(self) -> None:
        """All that was written by now has to come; then it leaves."""
        Listener.alive.discard(self)
        try:
            self._check_the_end()
        finally:
            self._listening.kill()

    def cut(self, seconds: float) -> None:
        """Loses the connection, and comes back after so many seconds."""
        self._away = seconds
        if self.socket is not None:
            with suppress(OSError):
                # Without a word. The one who reads finds the end, and closes it.
                self.socket.shutdown(SHUT_RDWR)

    def _listen(self) -> None:
        while True:
            self._opened, self._started = time.time(), time.perf_counter()
            self._resumed, self._subscribed = self.ledger.cursor is not None, False
            try:
                with closing(self.messages(self.ledger.cursor)) as messages:
                    for message in messages:
                        self._hear(message)
                raise Ended("the server closed the connection")
            except (Ended, OSError) as error:
                if self._away is None:
                    self._record_end(error)
            self.socket = None
            pause, self._away = self._away, None
            gevent.sleep(random.uniform(0, BACK_SECONDS) if pause is None else pause)

    def _hear(self, message: dict[str, Any]) -> None:
        if message["op"] == "event":
            self._take(message)
        elif message["op"] == "subscribed":
            if not self._subscribed:
                self._record(self._handshake, (time.perf_counter() - self._started) * 1000)
            self._subscribed = True
            self.ledger.subscribed(message["cursor"], message["recovered"])
            self._record_lost("the server could not fill the gap")
        elif message["op"] == "error":
            raise Ended(f"{message['code']}: {message['detail']}")

    @property
    def _handshake(self) -> tuple[str, str]:
        return self.kind, "resume" if self._resumed else "connect"

    def _record_end(self, error: Exception) -> None:
        if not self._subscribed:
            self._record(self._handshake, (time.perf_counter() - self._started) * 1000, error)
        elif isinstance(error, Ended) and error.restarting:
            self._record((self.kind, "ended: restarting"), None)
        else:
            self._record((self.kind, "ended"), None, error)

    def _take(self, event: dict[str, Any]) -> None:
        now = time.time()
        taken = self.ledger.take(event["id"])
        self._record_lost(f"events before {event['id']}" if self.ledger.lost else "")
        if taken != "new":
            self._record(("delivery", taken), None, Ended(taken))
            return
        made = datetime.fromisoformat(event["time"]).timestamp()
        if made < self._opened and self._resumed:
            self._record(names.CAUGHT_UP, (now - made) * 1000)
            return
        ahead = made - now > CLOCK_TOLERANCE
        self._record(
            names.AFTER_EVENT,
            max(0.0, now - made) * 1000,
            Ended("the event comes from the future: the server's clock is ahead of this one")
            if ahead
            else None,
        )
        delay = fan_out.received(event["request_id"])
        if delay is not None:
            self._record(names.AFTER_ANSWER, delay)

    def _check_the_end(self) -> None:
        if self.ledger.cursor is None:
            return
        try:
            position = target.position(str(self.host), self.room)
        except OSError as error:
            self._record(names.UNCHECKED, None, error)
            return
        deadline = time.monotonic() + CLOSING_SECONDS
        while position is not None and (missing := self.ledger.missing(position)):
            if time.monotonic() > deadline:
                self.ledger.lost += missing
                self._record_lost(f"not there {CLOSING_SECONDS:.0f} s after the last write")
                return
            gevent.sleep(0.02)

    def _record_lost(self, detail: str) -> None:
        while self._lost < self.ledger.lost:
            self._lost += 1
            self._record(names.LOST, None, Ended(detail))

    def _record(
        self, line: tuple[str, str], milliseconds: float | None, error: Exception | None = None
    ) -> None:
        options.record(self.environment, line, milliseconds, error)
