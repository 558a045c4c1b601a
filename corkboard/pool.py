"""Connections to Redis, bounded in number and in time; a short absence of Redis is waited out."""

from __future__ import annotations

import queue
import random
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

from redis import ConnectionPool
from redis.backoff import NoBackoff
from redis.exceptions import AuthenticationError, BusyLoadingError, ReadOnlyError
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError
from redis.retry import Retry

from corkboard import exchange, lookup
from corkboard.exchange import Command
from corkboard.sentinels import SCHEME, Sentinels

# Between two tries to connect. While a container is replaced its address answers nothing at all, and a try
# that began then would not notice that somebody is there again: so the first tries are short.
PAUSE_SECONDS = (0.02, 0.08)
TRY_SECONDS = 0.25

# Without a connection of one's own one waits only while Redis answers others.
SILENCE_SECONDS = 0.5
# When Redis has been silent for almost as long as a call waits, calls are refused at once, except for one
# now and then that finds out whether it is back.
AWAY_SECONDS = 1.9
BREAK_SECONDS = 0.5


class Refused(Exception):
    """Not even sent: Redis is away, or all connections were in use for too long."""


class Gone(Exception):
    """Nothing was carried out that may not be repeated, and somebody else has taken this server's place."""


class Pool:
    """At most `size` connections, made as needed. For the threads of one process: not across a fork.

    redis-py's own pools wait for a connection, connect and wait for the answer each by a clock of their own.
    Here one deadline covers all three. At most `size` threads wait for a Redis that is away.
    """

    def __init__(self, url: str, size: int, is_gone: Callable[[], bool] = lambda: False) -> None:
        """Makes no connection yet. `is_gone`: asked after a try that failed; if so, it was the last one."""
        # A call that got no answer may have been carried out. What may be repeated is decided here.
        once = Retry(NoBackoff(), 0)
        options: dict[str, Any] = {
            "retry": once, "protocol": 2, "client_name": "corkboard-app", "max_connections": 2**31
        }  # fmt: skip
        self._sentinels = Sentinels(url) if url.startswith(f"{SCHEME}://") else None
        if self._sentinels:
            options |= {
                "username": self._sentinels.user or None,
                "password": self._sentinels.password or None,
            }
            self._source = ConnectionPool(**options)
        else:
            self._source = ConnectionPool.from_url(url, **options)
        # Of C, and so a tenth of what `threading.Semaphore` costs.
        self._turns: queue.SimpleQueue[None] = queue.SimpleQueue()
        for _ in range(size):
            self._turns.put(None)
        self._size, self._is_gone = size, is_gone
        self._idle: list[Any] = []
        self._asked_at: float | None = None  # since when there has been no answer
        self._refuse_until = 0.0
        self._deciding = threading.Lock()

    @property
    def in_use(self) -> int:
        """How many calls have a connection right now, or are about to make one."""
        return self._size - self._turns.qsize()

    def ask(self, commands: Sequence[Command], until: float, *, repeat: bool = False) -> list[Any]:
        """Sends all commands in one round trip; their answers, of which some may be a ResponseError.

        What was not sent, or was refused by a Redis that is still loading or is a replica, is tried again
        until the deadline.

        Args:
            commands: each a name and its arguments.
            until: the deadline on the clock `time.monotonic`.
            repeat: carried out twice they are the same as once: so they are sent again also when the
                connection was lost before the answer came.

        Raises:
            RedisError: no connection, or no answer in time.
            Refused: nothing was sent.
            Gone: to be asked elsewhere.
        """
        self._take_turn(until)
        try:
            self._refuse_when_away(until)
            return self._ask(commands, until, repeat)
        except (RedisConnectionError, RedisTimeoutError):
            if self._silence() > AWAY_SECONDS:
                self._refuse_until = time.monotonic() + BREAK_SECONDS
            raise
        finally:
            self._turns.put(None)

    def ask_each(self, commands: Sequence[Command], until: float) -> list[Any]:
        """As `ask`, for commands that only read."""
        return self.ask(commands, until, repeat=True)

    def ask_all(self, commands: Sequence[Command], until: float) -> list[Any]:
        """As `ask`, for what every server is to have."""
        return self.ask(commands, until, repeat=True)

    def _ask(self, commands: Sequence[Command], until: float, repeat: bool) -> list[Any]:
        begun = time.monotonic()
        while True:
            connection = None
            try:
                connection = self._idle_one() or self._new(begun, until)
                return self._exchange(connection, commands, until)
            except AuthenticationError:
                self._heard()
                raise
            except ReadOnlyError:
                # It was the master before. Nothing was carried out.
                if time.monotonic() + PAUSE_SECONDS[1] > until:
                    raise
            except RedisConnectionError as error:
                sent = connection is not None and not isinstance(error, BusyLoadingError)
                if (sent and not repeat) or time.monotonic() + PAUSE_SECONDS[1] > until:
                    raise
            except RedisTimeoutError:
                self._forget_idle()
                if connection is not None or time.monotonic() + PAUSE_SECONDS[1] > until:
                    raise
            if self._is_gone():
                raise Gone
            time.sleep(random.uniform(*PAUSE_SECONDS))

    def _exchange(self, connection: Any, commands: Sequence[Command], until: float) -> list[Any]:
        # What comes after an answer may be waiting for replicas.
        answers = exchange.ask(connection, commands, until, self._heard)
        self._idle.append(connection)
        return answers

    def _take_turn(self, until: float) -> None:
        try:
            return self._turns.get_nowait()
        except queue.Empty:
            pass
        while True:
            try:
                return self._turns.get(timeout=max(0.0, min(SILENCE_SECONDS, until - time.monotonic())))
            except queue.Empty:
                if self._silence() > SILENCE_SECONDS or time.monotonic() >= until:
                    raise Refused("all connections to Redis are in use") from None

    def _refuse_when_away(self, until: float) -> None:
        with self._deciding:
            now = time.monotonic()
            if now < self._refuse_until:
                raise Refused("Redis did not answer a moment ago")
            if self._asked_at is None:
                self._asked_at = now
            elif now - self._asked_at > AWAY_SECONDS:
                self._refuse_until = until  # this one finds out; the others do not wait for it

    def _heard(self) -> None:
        self._asked_at, self._refuse_until = None, 0.0

    def _silence(self) -> float:
        asked_at = self._asked_at
        return 0.0 if asked_at is None else time.monotonic() - asked_at

    def _idle_one(self) -> Any | None:
        while self._idle:
            try:
                connection = self._idle.pop()
            except IndexError:  # another thread was faster
                return None
            if exchange.is_open(connection):
                return connection
            # Redis closed it, or something nobody asked for has arrived.
            connection.disconnect()
        return None

    def _forget_idle(self) -> None:
        # They lead to the same silence, and each would take a call's whole time to say so.
        while self._idle:
            try:
                self._idle.pop().disconnect()
            except IndexError:  # another thread was faster
                return

    def _new(self, begun: float, until: float) -> Any:
        now = time.monotonic()
        seconds = max(0.001, min(until - now, max(TRY_SECONDS, (now - begun) / 2)))
        connection: Any = self._source.make_connection()
        if self._sentinels:
            connection.host, connection.port = self._sentinels.master(seconds)
        lookup.find(getattr(connection, "host", None), seconds)
        connection.socket_connect_timeout = seconds
        connection.socket_timeout = max(0.001, until - time.monotonic())
        connection.connect()
        return connection
