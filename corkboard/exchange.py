"""Sends commands on one connection and reads their answers, with as few system calls as possible.

Each system call hands the interpreter to another thread. So there are two: one sends, one receives.
"""

from __future__ import annotations

import _socket
import math
import socket
import struct
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

from redis.connection import UnixDomainSocketConnection
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import ReadOnlyError
from redis.exceptions import TimeoutError as RedisTimeoutError

# The first byte of `struct tcp_info`: https://www.man7.org/linux/man-pages/man7/tcp.7.html
TCP_STATE = getattr(socket, "TCP_INFO", None) if sys.platform == "linux" else None
ESTABLISHED = 1

# Timeouts are rounded up to a step. Most calls then have the timeout that the socket has already.
STEPS_PER_SECOND = 20
TIMEOUTS = (socket.timeout, BlockingIOError)
TIMEVAL = struct.Struct("ll")

Command = Sequence[Any]


def ask(connection: Any, commands: Sequence[Command], until: float, heard: Callable[[], None]) -> list[Any]:
    """Sends all commands at once, and returns one answer for each; an answer may be a ResponseError.

    Args:
        connection: one of redis-py; it is closed when this fails.
        commands: each a name and its arguments.
        until: the deadline, in seconds by `time.monotonic`.
        heard: called after each answer.

    Raises:
        ReadOnlyError: this Redis is a replica; the command was not carried out.
        RedisError: the connection is lost, or there was no answer in time.
    """
    answers: list[Any] = []
    try:
        _bound(connection, until - time.monotonic())
        connection._sock.sendall(b"".join(map(_packed, commands)))
        for number, _ in enumerate(commands):
            if number:
                _bound(connection, until - time.monotonic())
            # The parser's own method: redis-py's checks around it would cost time for each answer.
            answer = connection._parser.read_response()
            if isinstance(answer, ReadOnlyError):
                raise answer
            answers.append(answer)
            heard()
    except BaseException as error:
        # Also when a greenlet or thread is killed: the next call must not read its answer.
        connection.disconnect()
        if isinstance(error, TIMEOUTS) or isinstance(error.__context__, BlockingIOError):
            raise RedisTimeoutError("no answer in time") from None
        if isinstance(error, OSError):
            raise RedisConnectionError(str(error)) from None
        raise
    return answers


def is_open(connection: Any) -> bool:
    """Whether Redis has not closed the connection. Without TCP_INFO, unread data counts as closed."""
    try:
        sock = connection._sock
        if TCP_STATE is not None and not isinstance(connection, UnixDomainSocketConnection):
            # One system call, which does not hand the interpreter to another thread.
            return bool(sock.getsockopt(socket.IPPROTO_TCP, TCP_STATE, 1)[0] == ESTABLISHED)
        is_quiet = not connection.can_read(0)
        # Some parsers of redis-py leave a timeout behind, that of when the connection was made.
        connection.socket_timeout = sock.gettimeout() or connection.socket_timeout
        return is_quiet
    except (RedisConnectionError, OSError):
        return False


def _packed(command: Command) -> bytes:
    words = [word if isinstance(word, bytes) else str(word).encode() for word in command]
    return b"*%d\r\n" % len(words) + b"".join([b"$%d\r\n%b\r\n" % (len(word), word) for word in words])


def _bound(connection: Any, seconds: float) -> None:
    """Sets the timeout of the connection's socket to `seconds`, rounded up to a step."""
    steps = max(1, math.ceil(seconds * STEPS_PER_SECOND))
    seconds = steps / STEPS_PER_SECOND
    if connection.socket_timeout == seconds:
        return
    connection.socket_timeout = seconds
    sock = connection._sock
    if sys.platform == "linux" and type(sock).recv_into is _socket.socket.recv_into:
        # A timeout in the kernel: with one of its own, Python polls the socket before each call.
        # Sockets of TLS and of gevent do not honour it.
        whole, rest = divmod(steps, STEPS_PER_SECOND)
        limit = TIMEVAL.pack(whole, rest * 1_000_000 // STEPS_PER_SECOND)
        sock.settimeout(None)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, limit)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, limit)
    else:
        sock.settimeout(seconds)
