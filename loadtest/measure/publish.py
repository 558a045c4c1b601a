"""Ways to publish an event of 200 bytes, each as its system wants it, from the generator's own loop."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from loadtest.measure.subscriber import Refused
from loadtest.measure.swarm import MARK, Swarm

BYTES = 200


class Publisher(Protocol):
    """Sends events; never waits for their answers."""

    def send(self, number: int) -> None:
        """Publishes so many events at once."""


@dataclass(frozen=True)
class Redis:
    """Where a Redis is, and as whom to ask it."""

    port: int
    user: str = ""
    password: str = ""

    @property
    def url(self) -> str:
        """With the credentials, for clients that take them so."""
        login = f"{self.user}:{self.password}@" if self.user else ""
        return f"redis://{login}127.0.0.1:{self.port}/0"

    def connect(self) -> socket.socket:
        """A connection that is logged in."""
        sock = socket.create_connection(("127.0.0.1", self.port))
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self.user:
            sock.sendall(command("AUTH", self.user, self.password))
            if sock.recv(64)[:1] != b"+":
                raise ConnectionError("Redis does not let the benchmark in")
        return sock


@dataclass(frozen=True)
class Publishing:
    """What a generator process needs to know in order to publish."""

    kind: str  # function, socketio, nchan
    redis: Redis | None = None
    topic: str = ""
    function: str = ""
    port: int = 0

    def start(self, swarm: Swarm) -> Publisher:
        """The publisher itself, its answers read by the swarm's loop."""
        match self.kind:
            case "function":
                return _Function(self, swarm)
            case "socketio":
                return _SocketIO(self, swarm)
            case "nchan":
                return _Nchan(self, swarm)
        raise ValueError(self.kind)


def command(*words: str | bytes) -> bytes:
    """A command in Redis' protocol."""
    parts = [word if isinstance(word, bytes) else word.encode() for word in words]
    return b"*%d\r\n" % len(parts) + b"".join(b"$%d\r\n%b\r\n" % (len(part), part) for part in parts)


def now_mark() -> bytes:
    """The moment, as the subscribers that probe look for it."""
    return MARK + b"%019d" % time.monotonic_ns()


class _Function:
    """The project's own: one call of the function that Flask's `publish` calls."""

    def __init__(self, how: Publishing, swarm: Swarm) -> None:
        assert how.redis is not None  # noqa: S101
        self._how = how
        self._sock = how.redis.connect()
        self._sock.sendall(self._call(b'""'))
        answer = self._sock.recv(4096)
        epoch, _, offset = answer.splitlines()[-1].partition(b"-")
        if answer[:1] != b"$":
            raise ConnectionError(f"the function does not work: {answer!r}")
        self._offset = int(offset)
        event = (
            f'{{"op":"event","topic":"{how.topic}","id":"{epoch.decode()}-","type":"bench",'
            f'"time":"{_now()}","request_id":"","data":""}}'
        )
        self._envelope = len(event) + 20  # with the mark
        swarm.add(self._sock, _ignore(self._sock))

    def send(self, number: int) -> None:
        calls = []
        for _ in range(number):
            self._offset += 1
            padding = BYTES - self._envelope - len(str(self._offset))
            calls.append(self._call(b'"' + now_mark() + b"." * padding + b'"'))
        self._sock.sendall(b"".join(calls))

    def _call(self, data: bytes) -> bytes:
        topic = self._how.topic
        facts = {"topic": topic, "type": "bench", "time": _now(), "request_id": "", "history": 10_000}
        return command("FCALL", self._how.function, "1", f"topic:{{{topic}}}", json.dumps(facts), data)


class _SocketIO:
    """What `SocketIO(message_queue=...).emit` puts into the queue from another process."""

    def __init__(self, how: Publishing, swarm: Swarm) -> None:
        assert how.redis is not None  # noqa: S101
        self._sock = how.redis.connect()
        swarm.add(self._sock, _ignore(self._sock))

    def send(self, number: int) -> None:
        calls = []
        for _ in range(number):
            # The packet is 42["event","..."]: 200 bytes with it.
            data = (now_mark() + b"." * (BYTES - 34)).decode()
            message = {
                "method": "emit", "event": "event", "data": [data], "binary": False, "namespace": "/",
                "room": None, "skip_sid": None, "callback": None, "host_id": "bench",
            }  # fmt: skip
            calls.append(command("PUBLISH", "flask-socketio", json.dumps(message)))
        self._sock.sendall(b"".join(calls))


class _Nchan:
    """POSTs to Nchan's own publishing location, each on a connection that has nothing else to do."""

    def __init__(self, how: Publishing, swarm: Swarm) -> None:
        self._port = how.port
        self._swarm = swarm
        self._idle: list[socket.socket] = []

    def send(self, number: int) -> None:
        for _ in range(number):
            sock = self._idle.pop() if self._idle else self._connect()
            body = b'{"op":"event","data":"' + now_mark()
            body += b"." * (BYTES - 2 - len(body)) + b'"}'
            sock.sendall(
                b"POST /publish HTTP/1.1\r\nHost: bench\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)
            )

    def _connect(self) -> socket.socket:
        sock = socket.create_connection(("127.0.0.1", self._port))
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

        def answered() -> None:
            answer = sock.recv(65536)
            if not answer.startswith(b"HTTP/1.1 20"):
                raise ConnectionError(f"Nchan refused an event: {answer[:200]!r}")
            self._idle.append(sock)

        self._swarm.add(sock, answered)
        return sock


def _now() -> str:
    seconds = time.time()
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds)) + f".{int(seconds * 1000) % 1000:03d}Z"


def _ignore(sock: socket.socket) -> Callable[[], None]:
    """For a socket whose answers are not needed: reads them, and complains of an error.

    Raises:
        Refused: when Redis answers with an error, or the other side hangs up.
    """

    def read() -> None:
        answer = sock.recv(1 << 20)
        if not answer or answer.startswith(b"-") or b"\n-" in answer:
            raise Refused(f"publishing failed: {answer[:200]!r}")

    return read
