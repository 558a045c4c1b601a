"""Other kinds of listeners beside the WebSockets that are measured: event streams and polls that wait."""

from __future__ import annotations

import socket
from collections.abc import Callable
from dataclasses import dataclass

from bench import wire
from bench.stack import TOPIC
from bench.subscriber import Refused
from bench.swarm import Swarm


@dataclass(frozen=True)
class Beside:
    """So many streams of the measured topic, and polls of a topic where nothing happens."""

    port: int
    streams: int = 100
    polls: int = 200

    def open(self, swarm: Swarm) -> list[socket.socket]:
        """Connects them all; the swarm's loop reads them."""
        opened = []
        for number in range(self.streams + self.polls):
            sock = socket.create_connection(("127.0.0.1", self.port))
            is_stream = number < self.streams
            path = f"/ws/events?topic={TOPIC}" if is_stream else "/ws/poll?topic=board:quiet&timeout=30"
            request = wire.get(self.port, path)
            swarm.watch(sock, _reader(sock, b"" if is_stream else request))
            sock.sendall(request)
            opened.append(sock)
        return opened


def _reader(sock: socket.socket, again: bytes) -> Callable[[], None]:
    def read() -> None:
        answer = sock.recv(65536)
        if not answer or answer.startswith((b"HTTP/1.1 4", b"HTTP/1.1 5")):
            raise Refused(f"a listener beside was sent away: {answer[:200]!r}")
        if again:
            sock.sendall(again)

    return read
