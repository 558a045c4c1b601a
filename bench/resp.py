"""The Redis protocol on plain sockets."""

from __future__ import annotations

import socket
from collections.abc import Callable
from dataclasses import dataclass

from bench.clients import Refused


@dataclass(frozen=True)
class Redis:
    """The address of a Redis server, and whom to log in as."""

    port: int
    user: str = ""
    password: str = ""

    @property
    def url(self) -> str:
        """The same as a URL, with the credentials."""
        login = f"{self.user}:{self.password}@" if self.user else ""
        return f"redis://{login}127.0.0.1:{self.port}/0"

    def connect(self) -> socket.socket:
        """A connection that is logged in.

        Raises:
            ConnectionError: Redis refuses the credentials.
        """
        sock = socket.create_connection(("127.0.0.1", self.port))
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self.user:
            sock.sendall(command("AUTH", self.user, self.password))
            if sock.recv(64)[:1] != b"+":
                raise ConnectionError("Redis refuses the credentials")
        return sock


def command(*words: str | bytes) -> bytes:
    """One command, encoded."""
    parts = [word if isinstance(word, bytes) else word.encode() for word in words]
    return b"*%d\r\n" % len(parts) + b"".join(b"$%d\r\n%b\r\n" % (len(part), part) for part in parts)


def raise_errors(sock: socket.socket) -> Callable[[], None]:
    """A reader for a socket whose answers do not matter, unless they are errors.

    Raises:
        Refused: (the reader) Redis answers with an error, or closes the connection.
    """

    def read() -> None:
        answer = sock.recv(1 << 20)
        if not answer or answer.startswith(b"-") or b"\n-" in answer:
            raise Refused(f"publishing failed: {answer[:200]!r}")

    return read
