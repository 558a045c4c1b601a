"""Redis, spoken from plain sockets."""

from __future__ import annotations

import socket
from collections.abc import Callable
from dataclasses import dataclass

from bench.subscriber import Refused


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


def command(*words: str | bytes) -> bytes:
    """A command in Redis' protocol."""
    parts = [word if isinstance(word, bytes) else word.encode() for word in words]
    return b"*%d\r\n" % len(parts) + b"".join(b"$%d\r\n%b\r\n" % (len(part), part) for part in parts)


def ignore(sock: socket.socket) -> Callable[[], None]:
    """For a socket whose answers are not needed: reads them, and complains of an error.

    Raises:
        Refused: when Redis answers with an error, or the other side hangs up.
    """

    def read() -> None:
        answer = sock.recv(1 << 20)
        if not answer or answer.startswith(b"-") or b"\n-" in answer:
            raise Refused(f"publishing failed: {answer[:200]!r}")

    return read
