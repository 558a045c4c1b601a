"""Connections to Redis, bounded in number and in time."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from redis import ConnectionPool
from redis.backoff import NoBackoff
from redis.exceptions import AuthenticationError, ResponseError
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError
from redis.retry import Retry

CONNECT_SECONDS = 1.0
# With less time left, no new connection is begun.
LEAST_SECONDS = 0.5

# After a failure, others do not queue up for the same one: they are refused at once for this long.
BREAK_SECONDS = 0.5

Command = Sequence[Any]


class Refused(Exception):
    """Not even sent: all connections were in use for too long, or Redis did not answer a moment ago."""


class Pool:
    """At most `size` connections, made as needed. For the threads of one process: not across a fork.

    redis-py's own pools wait for a connection, connect and wait for the answer each by a clock of their own.
    Here one deadline covers all three; only the lookup of a host name is not bounded.
    """

    def __init__(self, url: str, size: int) -> None:
        # A call that got no answer may have been carried out. The caller decides whether to repeat it.
        once = Retry(NoBackoff(), 0)
        self._source = ConnectionPool.from_url(
            url, retry=once, protocol=2, client_name="corkboard-app", max_connections=2**31
        )
        self._free = threading.Semaphore(size)
        self._idle: list[Any] = []
        self._broken_until = 0.0

    def ask(self, commands: Sequence[Command], until: float) -> list[Any]:
        """Sends all commands in one round trip; their answers, of which some may be a ResponseError.

        `until` is the deadline on the clock `time.monotonic`.

        Raises:
            RedisError: no connection, or no answer in time.
            Refused: nothing was sent.
        """
        answers: list[Any] = []
        with self._connection(until) as connection:
            connection.send_packed_command(connection.pack_commands(commands))
            for _ in commands:
                if not connection.can_read(max(0.0, until - time.monotonic())):
                    raise RedisTimeoutError("no answer in time")
                try:
                    answers.append(connection.read_response())
                except ResponseError as error:
                    answers.append(error)
        return answers

    @contextmanager
    def _connection(self, until: float) -> Iterator[Any]:
        if not self._free.acquire(timeout=max(0.0, until - time.monotonic())):
            raise Refused("all connections to Redis are in use")
        try:
            if time.monotonic() < self._broken_until:
                raise Refused("Redis did not answer a moment ago")
            connection = self._idle_one() or self._new(until)
            try:
                yield connection
            except BaseException:
                # Also when a greenlet or thread is ended: its answer must not become the next one's.
                connection.disconnect()
                raise
            self._idle.append(connection)
        except AuthenticationError:
            raise
        except (RedisConnectionError, RedisTimeoutError):
            self._broken_until = time.monotonic() + BREAK_SECONDS
            raise
        finally:
            self._free.release()

    def _idle_one(self) -> Any | None:
        while self._idle:
            try:
                connection = self._idle.pop()
            except IndexError:  # another thread was faster
                return None
            try:
                if not connection.can_read(0):
                    return connection
            except (RedisConnectionError, OSError):
                pass
            # Redis closed it, or something nobody asked for has arrived.
            connection.disconnect()
        return None

    def _new(self, until: float) -> Any:
        left = until - time.monotonic()
        if left < LEAST_SECONDS:
            raise RedisTimeoutError("no time left to connect")
        connection: Any = self._source.make_connection()
        connection.socket_connect_timeout = connection.socket_timeout = min(CONNECT_SECONDS, left / 2)
        connection.connect()
        return connection
