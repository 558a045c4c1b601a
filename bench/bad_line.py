"""Clients that are cut off and come back, with the last id that they saw where a server knows of such."""

from __future__ import annotations

import re
import select
import socket
import time
from collections.abc import Callable

from bench import wire
from bench.subscriber import MARK, RESET, Entrance

RETRY_SECONDS = 0.5  # after a handshake that failed
TURN_SECONDS = 0.02


class Client:
    """One of them: what it received, and when it will be away."""

    def __init__(self) -> None:
        self.absences: list[tuple[float, float]] = []  # from when, for how long
        self.marks: list[int] = []  # of the events, as they came
        self.is_ready = False
        self.cuts = 0
        self.thrown_out = 0
        self.last_id = b""
        self.sock: socket.socket | None = None
        self.back_at = 0.0
        self.rest = b""
        self.stage = "away"


class BadLines:
    """All clients of one server, on one epoll."""

    def __init__(self, entrance: Entrance) -> None:
        self._entrance = entrance
        self._clients: list[Client] = []
        self._connected: dict[int, Client] = {}
        self._others: dict[int, Callable[[], None]] = {}
        self._poll = select.epoll()

    def add(self) -> Client:
        """Another client, that connects as soon as it can."""
        client = Client()
        self._clients.append(client)
        return client

    def watch(self, sock: socket.socket, on_data: Callable[[], None]) -> None:
        """Reads another socket as well: the publisher's."""
        self._others[sock.fileno()] = on_data
        self._poll.register(sock.fileno(), select.EPOLLIN)

    def run_until(self, moment: float, or_when: Callable[[], bool] = lambda: False) -> None:
        """Cuts, connects and reads, until then or until something holds."""
        while (left := moment - time.perf_counter()) > 0 and not or_when():
            self._cut_and_connect(time.perf_counter())
            for fd, _ in self._poll.poll(min(left, TURN_SECONDS)):
                client = self._connected.get(fd)
                if client is not None:
                    self._attend(client)
                elif fd in self._others:
                    self._others[fd]()

    def close(self) -> None:
        """Hangs up everywhere."""
        for client in list(self._connected.values()):
            self._leave(client, 0)
        self._poll.close()

    def _cut_and_connect(self, now: float) -> None:
        for client in self._clients:
            if client.absences and client.absences[0][0] <= now:
                _, seconds = client.absences.pop(0)
                client.cuts += 1
                self._leave(client, now + seconds)
            elif client.sock is None and client.back_at <= now:
                self._connect(client)

    def _connect(self, client: Client) -> None:
        client.sock = socket.socket()
        client.sock.setblocking(False)
        # Closing sends a reset, as a line that breaks does.
        client.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        client.sock.connect_ex(("127.0.0.1", self._entrance.port))
        client.stage, client.rest = "connecting", b""
        self._connected[client.sock.fileno()] = client
        self._poll.register(client.sock.fileno(), select.EPOLLOUT)

    def _leave(self, client: Client, back_at: float) -> None:
        """Without a word; comes back at that moment."""
        client.is_ready, client.back_at = False, back_at
        if client.sock is not None:
            del self._connected[client.sock.fileno()]
            client.sock.close()  # leaves the epoll by that
            client.sock = None

    def _attend(self, client: Client) -> None:
        assert client.sock is not None  # noqa: S101
        try:
            if client.stage == "connecting":
                client.sock.send(self._request(client))
                self._poll.modify(client.sock.fileno(), select.EPOLLIN)
                client.stage = "asking"
                return
            received = client.sock.recv(1 << 18)
        except BlockingIOError:
            return
        except OSError:
            received = b""
        if not received or not self._take(client, client.rest + received):
            client.thrown_out += 1
            self._leave(client, time.perf_counter() + RETRY_SECONDS)

    def _request(self, client: Client) -> bytes:
        if client.last_id and self._entrance.resume:
            return self._entrance.resume.replace(b"LAST-ID", client.last_id)
        return self._entrance.request

    def _take(self, client: Client, data: bytes) -> bool:
        """Whether the client may stay."""
        assert client.sock is not None  # noqa: S101
        if client.stage == "asking":
            head, separator, after = data.partition(b"\r\n\r\n")
            if not separator:
                client.rest = data
                return True
            if b" 101 " not in head[:20]:
                return False
            if self._entrance.hello:
                client.sock.send(self._entrance.hello)
            client.stage, data = "open", after
        done = 0
        if self._entrance.ready in data:
            client.is_ready = True
        for opcode, payload, end in wire.frames(data):
            done = end
            if opcode == wire.CLOSE:
                return False
            if opcode == wire.TEXT:
                self._note(client, payload)
            if reply := wire.reply(opcode, payload):
                client.sock.send(reply)
        client.rest = data[done:]
        return True

    def _note(self, client: Client, payload: bytes) -> None:
        if self._entrance.last_id and (found := re.search(self._entrance.last_id, payload)):
            client.last_id = found[1]
        if at := payload.find(MARK) + 1:
            client.marks.append(int(payload[at : at + 19]))
