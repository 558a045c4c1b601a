"""Ways to publish an event of 200 bytes, each as its system wants it, from the generator's own loop."""

from __future__ import annotations

import json
import os
import socket
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from bench.resp import Redis, command, ignore
from bench.subscriber import MARK, Watcher
from corkboard.publish import Event, words
from corkboard.store import Store

BYTES = 200


class Publisher(Protocol):
    """Sends events; never waits for their answers."""

    def send(self, number: int) -> None:
        """Publishes so many events at once."""


@dataclass(frozen=True)
class Publishing:
    """What a generator process needs to know in order to publish."""

    kind: str  # a key of `PUBLISHERS`
    redis: Redis | None = None
    topic: str = ""
    port: int = 0
    in_order: bool = False  # what is published first arrives first, whatever that costs

    def start(self, loop: Watcher) -> Publisher:
        """The publisher itself, its answers read by that loop."""
        return PUBLISHERS[self.kind](self, loop)


def now_mark() -> bytes:
    """The moment, as the subscribers that probe look for it."""
    return MARK + b"%019d" % time.monotonic_ns()


class _Function:
    """The project's own: what `corkboard.publish` sends, without waiting for the answer."""

    def __init__(self, how: Publishing, loop: Watcher) -> None:
        assert how.redis is not None  # noqa: S101
        self._how = how
        os.environ["CORKBOARD_URL"] = how.redis.url
        self._store = Store(how.redis.url)
        self._store.load()
        self._sock = how.redis.connect()
        self._sock.sendall(self._call(""))
        answer = self._sock.recv(4096)
        epoch, _, offset = answer.splitlines()[-1].partition(b"-")
        if answer[:1] != b"*":
            raise ConnectionError(f"the function does not work: {answer!r}")
        self._offset = int(offset)
        event = (
            f'{{"op":"event","topic":"{how.topic}","id":"{epoch.decode()}-","type":"bench",'
            f'"time":"{_now()}","request_id":"","data":""}}'
        )
        self._envelope = len(event) + 20  # with the mark
        loop.watch(self._sock, ignore(self._sock))

    def send(self, number: int) -> None:
        calls = []
        for _ in range(number):
            self._offset += 1
            padding = BYTES - self._envelope - len(str(self._offset))
            calls.append(self._call(now_mark().decode() + "." * padding))
        self._sock.sendall(b"".join(calls))

    def _call(self, data: str) -> bytes:
        keys, arguments = words([Event(self._how.topic, "bench", data)])
        return command(*self._store.command("publish", keys, *arguments))


class _SocketIO:
    """What `SocketIO(message_queue=...).emit` puts into its Redis channel: JSON."""

    def __init__(self, how: Publishing, loop: Watcher) -> None:
        assert how.redis is not None  # noqa: S101
        self._sock = how.redis.connect()
        loop.watch(self._sock, ignore(self._sock))

    def send(self, number: int) -> None:
        self._sock.sendall(b"".join(self._publish() for _ in range(number)))

    def _publish(self) -> bytes:
        # The packet is 42["event","..."]: 200 bytes with it.
        data = (now_mark() + b"." * (BYTES - 34)).decode()
        message = {
            "method": "emit", "event": "event", "data": [data], "binary": False, "namespace": "/",
            "room": None, "skip_sid": None, "callback": None, "host_id": "bench",
        }  # fmt: skip
        return command("PUBLISH", "flask-socketio", json.dumps(message))


class _Nchan:
    """POSTs to Nchan's own publishing location, each on a connection that has nothing else to do.

    Two connections keep no order, so in order means: all on one, each when the one before was answered.
    """

    def __init__(self, how: Publishing, loop: Watcher) -> None:
        self._how = how
        self._loop = loop
        self._idle: list[socket.socket] = [self._connect()] if how.in_order else []
        self._waiting: deque[bytes] = deque()

    def send(self, number: int) -> None:
        for _ in range(number):
            body = b'{"op":"event","data":"' + now_mark()
            body += b"." * (BYTES - 2 - len(body)) + b'"}'
            self._waiting.append(
                b"POST /publish HTTP/1.1\r\nHost: bench\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)
            )
        self._send_waiting()

    def _send_waiting(self) -> None:
        while self._waiting and (self._idle or not self._how.in_order):
            sock = self._idle.pop() if self._idle else self._connect()
            sock.sendall(self._waiting.popleft())

    def _connect(self) -> socket.socket:
        sock = socket.create_connection(("127.0.0.1", self._how.port))
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

        def answered() -> None:
            answer = sock.recv(65536)
            if not answer.startswith(b"HTTP/1.1 20"):
                raise ConnectionError(f"Nchan refused an event: {answer[:200]!r}")
            self._idle.append(sock)
            self._send_waiting()

        self._loop.watch(sock, answered)
        return sock


PUBLISHERS: dict[str, Callable[[Publishing, Watcher], Publisher]] = {
    "function": _Function,
    "socketio": _SocketIO,
    "nchan": _Nchan,
}


def _now() -> str:
    seconds = time.time()
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds)) + f".{int(seconds * 1000) % 1000:03d}Z"
