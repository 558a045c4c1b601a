"""A user who listens: measures, checks what arrives, and resumes after a lost connection."""

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

from loadtest import options, report_lines, target
from loadtest.delivery import Ledger, fan_out

SILENCE_SECONDS = 45.0  # the server sends an event or a ping at least every 20 s
CLOSING_SECONDS = 5.0
BACK_SECONDS = 2.0  # a lost connection is opened again after a random part of this
CLOCK_TOLERANCE = 0.002  # seconds; an event's time is cut to milliseconds


class Ended(Exception):
    """The server refused or ended the connection. `restarting`: it asked the client to come back."""

    def __init__(self, detail: str, restarting: bool = False) -> None:
        super().__init__(detail)
        self.restarting = restarting


class Listener(User):
    """Listens to one topic from start to stop, over any number of connections."""

    abstract = True
    kind: ClassVar[str]  # the request type of its lines in the report
    alive: ClassVar[WeakSet[Listener]] = WeakSet()

    @abstractmethod
    def messages(self, since: str | None) -> Generator[dict[str, Any], None, None]:
        """Opens a connection, sets `socket`, and yields the sidecar's messages until the connection ends.

        Raises:
            Ended, OSError: how it ended.
        """

    def on_start(self) -> None:
        """Chooses a room and listens in a greenlet of its own: Locust stops the task before `on_stop`."""
        self.room = options.random_room(self.environment)
        self.topic = target.topic(self.room)
        self.ledger = Ledger()
        self._lost = 0  # as recorded so far
        self._resumed = False
        self._away: float | None = None
        self.socket: socket | None = None
        self._listening = gevent.spawn(self._listen)
        Listener.alive.add(self)

    @task
    def listen(self) -> None:
        """Waits until the user is stopped."""
        self._listening.get()

    def on_stop(self) -> None:
        """Waits for everything that has been written by now, and leaves."""
        Listener.alive.discard(self)
        try:
            self._check_the_end()
        finally:
            self._listening.kill()

    def cut(self, seconds: float) -> None:
        """Loses the connection without a close frame, and reconnects after so many seconds."""
        self._away = seconds
        if self.socket is not None:
            with suppress(OSError):
                self.socket.shutdown(SHUT_RDWR)  # the greenlet that reads notices, and closes it

    def _listen(self) -> None:
        while True:
            self._opened, self._started = time.time(), time.perf_counter()
            self._resumed, self._subscribed = self.ledger.cursor is not None, False
            try:
                with closing(self.messages(self.ledger.cursor)) as messages:
                    for message in messages:
                        self._handle(message)
                raise Ended("the server closed the connection")
            except (Ended, OSError) as error:
                if self._away is None:
                    self._record_end(error)
            self.socket = None
            pause, self._away = self._away, None
            gevent.sleep(random.uniform(0, BACK_SECONDS) if pause is None else pause)

    def _handle(self, message: dict[str, Any]) -> None:
        if message["op"] == "event":
            self._take(message)
        elif message["op"] == "subscribed":
            if not self._subscribed:
                self._record_handshake()
            self._subscribed = True
            self.ledger.subscribed(message["cursor"], message["recovered"])
            self._record_lost("the server could not fill the gap")
        elif message["op"] == "error":
            raise Ended(f"{message['code']}: {message['detail']}")

    def _take(self, event: dict[str, Any]) -> None:
        now = time.time()
        taken = self.ledger.take(event["id"])
        self._record_lost(f"events before {event['id']}" if self.ledger.lost else "")
        if taken != "new":
            self._record(("delivery", taken), None, Ended(taken))
            return
        made = datetime.fromisoformat(event["time"]).timestamp()
        if made < self._opened and self._resumed:
            self._record(report_lines.CAUGHT_UP, (now - made) * 1000)
            return
        error = None
        if made - now > CLOCK_TOLERANCE:
            error = Ended("the event comes from the future: the server's clock is ahead of this one")
        self._record(report_lines.AFTER_EVENT, max(0.0, now - made) * 1000, error)
        delay = fan_out.received(event["request_id"])
        if delay is not None:
            self._record(report_lines.AFTER_ANSWER, delay)

    def _check_the_end(self) -> None:
        if self.ledger.cursor is None:
            return
        try:
            position = target.position(str(self.host), self.room)
        except OSError as error:
            self._record(report_lines.UNCHECKED, None, error)
            return
        deadline = time.monotonic() + CLOSING_SECONDS
        while position is not None and (missing := self.ledger.missing(position)):
            if time.monotonic() > deadline:
                self.ledger.lost += missing
                self._record_lost(f"not there {CLOSING_SECONDS:.0f} s after the last write")
                return
            gevent.sleep(0.02)

    def _record_end(self, error: Exception) -> None:
        if not self._subscribed:
            self._record_handshake(error)
        elif isinstance(error, Ended) and error.restarting:
            self._record((self.kind, "ended: restarting"))
        else:
            self._record((self.kind, "ended"), None, error)

    def _record_handshake(self, error: Exception | None = None) -> None:
        line = self.kind, "resume" if self._resumed else "connect"
        self._record(line, (time.perf_counter() - self._started) * 1000, error)

    def _record_lost(self, detail: str) -> None:
        for _ in range(self.ledger.lost - self._lost):
            self._record(report_lines.LOST, None, Ended(detail))
        self._lost = self.ledger.lost

    def _record(
        self, line: tuple[str, str], milliseconds: float | None = None, error: Exception | None = None
    ) -> None:
        options.record(self.environment, line, milliseconds, error)
