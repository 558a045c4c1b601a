"""The client for threads, scripts and everything else that knows no asyncio."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from typing import Any, Optional

from corkboard.client.core import Core, Topics
from corkboard.client.ending import Ending
from corkboard.client.messages import Item, Refused
from corkboard.client.timing import Timing
from corkboard.client.wire import FAILURES, Connection, Target, ending_of, open_sync

Ticket = Callable[[], Optional[str]]


def listen(
    url: str,
    topics: Topics,
    *,
    ticket: Ticket | None = None,
    headers: Mapping[str, str] | None = None,
    timing: Timing | None = None,
    **options: Any,
) -> Stream:
    """Listens to topics.

    Args:
        url: of the site, such as https://example.com, also with a path in front of /ws.
        topics: at most 100: a list, to hear what happens from now on; or a dict with the cursor of each to go
            on from, None for from now on.
        ticket: returns a ticket. It is called before the first connection, and again when the ticket has
            expired. When it raises an OSError it is called again later; anything else ends the stream.
        headers: more headers of the handshake.
        timing: how long to wait, for what.
        options: passed on to `connect` of the package `websockets`, such as `ssl` and `proxy`.

    Raises:
        ValueError, TypeError: the address, a topic, a cursor or a time is invalid.
    """
    core = Core(topics, timing or Timing(), renewable=ticket is not None)
    return Stream(core, Target(url, headers or {}, options), ticket)


class Stream:
    """The events of some topics, over any number of connections.

    `with` returns when the server has confirmed all topics. One thread may receive; any may close.
    """

    def __init__(self, core: Core, target: Target, ticket: Ticket | None) -> None:
        self._core = core
        self._target = target
        self._new_ticket = ticket
        self._connection: Connection | None = None
        self._exit = ExitStack()
        self._due = 0.0  # when to connect, by time.monotonic
        self._early: deque[Item] = deque()
        self._closed = threading.Event()

    def receive(self, timeout: float | None = None) -> Item:
        """The next event, or that some are lost.

        Args:
            timeout: seconds; None waits for ever. An attempt to connect is not cut short.

        Raises:
            TimeoutError: nothing came within `timeout`. The next call goes on.
            Refused: the server does not let this client in, or not to a topic.
            EOFError: the stream was closed.
        """
        if self._early:
            return self._early.popleft()
        deadline = None if timeout is None else time.monotonic() + timeout
        while True:
            if (item := self._step(deadline)) is not None:
                return item

    def close(self) -> None:
        """Ends the stream, and with it the loop that another thread has over it."""
        self._closed.set()
        self._hang_up()

    def __enter__(self) -> Stream:
        try:
            while not self._core.begun:
                if (item := self._step(None)) is not None:
                    self._early.append(item)
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __iter__(self) -> Stream:
        return self

    def __next__(self) -> Item:
        try:
            return self.receive()
        except EOFError:
            raise StopIteration from None

    def _step(self, deadline: float | None) -> Item | None:
        # Goes on by one message.
        try:
            if (connection := self._connection) is None:
                self._wait_until_due(deadline)
                connection = self._connection = self._open()
                self._core.opened()
            self._check_open()
            return self._exchange(connection, deadline)
        except Ending as ending:
            self._check_open()
            now = time.monotonic()
            try:
                self._due = now + self._core.lost(ending, now)
            finally:
                self._hang_up()
        except (Refused, EOFError):
            self._hang_up()
            raise
        return None

    def _wait_until_due(self, deadline: float | None) -> None:
        now = time.monotonic()
        until = self._due if deadline is None else min(self._due, deadline)
        self._closed.wait(max(0.0, until - now))
        self._check_open()
        if until < self._due:
            raise TimeoutError("there is no connection")

    def _open(self) -> Connection:
        try:
            if self._core.wants_ticket and self._new_ticket is not None:
                self._core.renewed(self._new_ticket())
            found: Connection = self._exit.enter_context(
                open_sync(self._target.address, **self._target.arguments(self._core))
            )
        except FAILURES as error:
            raise ending_of(error) from error
        return found

    def _exchange(self, connection: Connection, deadline: float | None) -> Item | None:
        outgoing = self._core.outgoing
        try:
            while outgoing:
                connection.send(outgoing[0])
                outgoing.popleft()
            text = connection.recv(None if deadline is None else deadline - time.monotonic())
        except TimeoutError:
            raise
        except FAILURES as error:
            raise ending_of(error) from error
        return self._core.take(text, time.monotonic())

    def _check_open(self) -> None:
        if self._closed.is_set():
            raise EOFError("the stream is closed")

    def _hang_up(self) -> None:
        self._connection = None
        self._exit.close()
