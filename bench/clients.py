"""The load generator: WebSocket clients in one process, on plain sockets and one epoll.

The frames of one measurement's events all have the same length. A read usually brings whole frames, which are
counted without being parsed; anything else is parsed frame by frame. So clients cost less than any server.
"""

from __future__ import annotations

import re
import select
import socket
import struct
import time
from collections.abc import Callable
from dataclasses import dataclass

from bench import frames

MARK = b"~"  # then 19 digits: when the event was published, in nanoseconds of the monotonic clock
EVENT_BYTES = 190  # a text frame of at least this size is an event
BUFFER = bytearray(256 * 1024)
STALLED_SECONDS = 15.0  # without any event
RETRY_SECONDS = 0.5  # after the server refused a client or closed its connection
RESET = struct.pack("ii", 1, 0)  # for SO_LINGER: close() sends a reset and leaves no TIME_WAIT

AWAY, CONNECTING, UPGRADING, SUBSCRIBING, OPEN = range(5)


class Refused(Exception):
    """The server refused a client, closed its connection, or does not keep up."""


@dataclass(frozen=True)
class Endpoint:
    """Where and how to subscribe.

    A client sends `request`, after the 101 also `hello`, and is subscribed once it has received `ready`.
    A client that reconnects and has recorded an event sends `resume` instead, if there is one: with the
    event's id, which the pattern `last_id` finds, in place of LAST-ID.
    """

    port: int
    request: bytes
    hello: bytes = b""
    ready: bytes = b""
    resume: bytes = b""
    last_id: bytes = b""
    host: str = "127.0.0.1"


class Client:
    """One subscriber, over all its connections."""

    __slots__ = ("buffer", "count", "endpoint", "failures", "last_id", "log", "sock", "stage")
    sock: socket.socket

    def __init__(self, endpoint: Endpoint) -> None:
        self.endpoint = endpoint
        self.stage = AWAY
        self.buffer = b""
        self.count = 0  # events received
        self.failures = 0  # connections that the server refused or closed
        self.last_id = b""
        # When recording: the nanoseconds at which each event was published, and received.
        self.log: list[tuple[int, int]] | None = None


class Clients:
    """All clients of this process. A lost connection is an error, or with `reconnect` opened again.

    `levels` maps a number of events to the number of clients that have received so many.
    """

    def __init__(self, reconnect: bool = False) -> None:
        self.all: list[Client] = []
        self.received = 0
        self.reads = 0
        self.levels: dict[int, int] = {}
        self.slowest = 0  # events that every client has received
        self._reconnect = reconnect
        self._connected: dict[int, Client] = {}
        self._handshakes = 0
        self._away: dict[Client, float] = {}  # client -> when it reconnects
        self._others: dict[int, Callable[[], None]] = {}
        self._poll = select.epoll()
        self._frame = 0  # bytes of an event's frame
        self._head = b""

    def open(self, endpoint: Endpoint, number: int, at_once: int = 64, seconds: float = 120) -> float:
        """Adds clients, with up to `at_once` handshakes in progress.

        Returns the seconds until all are subscribed.

        Raises:
            Refused: the server refused one, or they are not subscribed within `seconds`.
        """
        begun = time.perf_counter()
        opened = 0
        while opened < number or self._handshakes or self._away:
            while opened < number and self._handshakes < at_once:
                client = Client(endpoint)
                self.all.append(client)
                self.levels[0] = self.levels.get(0, 0) + 1
                self._connect(client)
                opened += 1
            self.turn(1)
            if time.perf_counter() - begun > seconds:
                unfinished = self._handshakes + len(self._away)
                raise Refused(f"{unfinished} of {number} handshakes not finished after {seconds} s")
        return time.perf_counter() - begun

    def record(self, number: int) -> list[Client]:
        """Makes `number` clients, evenly spread, record when each event was published and received."""
        chosen = self.all[:: max(1, len(self.all) // number)]
        for client in chosen:
            client.log = []
        return chosen

    def watch(self, sock: socket.socket, on_data: Callable[[], None]) -> None:
        """Calls `on_data` from the same loop whenever another socket can be read."""
        self._others[sock.fileno()] = on_data
        self._poll.register(sock.fileno(), select.EPOLLIN)

    def turn(self, seconds: float) -> None:
        """Reads what has arrived, or waits up to `seconds` for it."""
        if self._away:
            now = time.perf_counter()
            for client in [client for client, moment in self._away.items() if moment <= now]:
                self._connect(client)
            seconds = max(0.0, min([seconds, *(moment - now for moment in self._away.values())]))
        for fd, _ in self._poll.poll(seconds, 64):
            if fd in self._others:
                self._others[fd]()
                continue
            client = self._connected[fd]
            try:
                if client.stage == OPEN:
                    self._read(client)
                else:
                    self._advance(client)
            except BlockingIOError:
                continue
            except (OSError, Refused) as error:
                if not self._reconnect:
                    raise Refused(f"after {client.count} events: {error}") from error
                client.failures += 1
                self.disconnect(client, RETRY_SECONDS)

    def wait(self, condition: Callable[[], bool], what: str, seconds: float = 30) -> None:
        """Reads until the condition holds.

        Raises:
            Refused: it does not hold within `seconds`, or nothing arrives for `STALLED_SECONDS`.
        """
        begun = moved = time.perf_counter()
        while not condition():
            before = self.received
            self.turn(0.05)
            now = time.perf_counter()
            if self.received != before:
                moved = now
            if now > min(begun + seconds, moved + STALLED_SECONDS):
                raise Refused(f"after {now - begun:.0f} s still waiting for {what}")

    def rest(self, seconds: float) -> None:
        """Only reads, for so many seconds."""
        deadline = time.perf_counter() + seconds
        while (left := deadline - time.perf_counter()) > 0:
            self.turn(left)

    def disconnect(self, client: Client, seconds: float) -> None:
        """Cuts a client off with a reset; it reconnects after so many seconds."""
        if client.stage != AWAY:
            self._handshakes -= client.stage != OPEN
            del self._connected[client.sock.fileno()]
            client.sock.close()  # which also removes it from the epoll
        client.stage = AWAY
        self._away[client] = time.perf_counter() + seconds

    def close(self) -> None:
        """Closes all connections."""
        for client in self._connected.values():
            client.sock.close()
        self._poll.close()

    def _connect(self, client: Client) -> None:
        self._away.pop(client, None)
        client.sock = socket.socket()
        client.sock.setblocking(False)
        client.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        client.sock.connect_ex((client.endpoint.host, client.endpoint.port))
        client.stage, client.buffer = CONNECTING, b""
        self._connected[client.sock.fileno()] = client
        self._poll.register(client.sock.fileno(), select.EPOLLOUT)
        self._handshakes += 1

    def _advance(self, client: Client) -> None:
        sock = client.sock
        if client.stage == CONNECTING:
            resume = client.last_id and client.endpoint.resume.replace(b"LAST-ID", client.last_id)
            sock.send(resume or client.endpoint.request)
            self._poll.modify(sock.fileno(), select.EPOLLIN)
            client.stage = UPGRADING
            return
        received = sock.recv(65536)
        if not received:
            raise Refused(f"closed during the handshake: {client.buffer[:300]!r}")
        client.buffer += received
        if client.stage == UPGRADING:
            head, separator, rest = client.buffer.partition(b"\r\n\r\n")
            if not separator:
                return
            if b" 101 " not in head[:20]:
                raise Refused(head.decode(errors="replace"))
            client.buffer, client.stage = rest, SUBSCRIBING
            if client.endpoint.hello:
                sock.send(client.endpoint.hello)
        if client.endpoint.ready in client.buffer:
            client.stage = OPEN
            self._handshakes -= 1
            self._parse(client, b"")

    def _read(self, client: Client) -> None:
        size = client.sock.recv_into(BUFFER)
        frame = self._frame
        if not size:
            raise Refused(f"the server hung up: {client.buffer[:100]!r}")
        if (
            not client.buffer
            and frame
            and not size % frame
            and BUFFER[:4] == self._head
            and BUFFER[size - frame : size - frame + 4] == self._head
            and client.log is None
        ):
            self._count(client, size // frame)
        else:
            self._parse(client, bytes(BUFFER[:size]))

    def _parse(self, client: Client, received: bytes) -> None:
        now = time.monotonic_ns()
        data = client.buffer + received
        done = events = 0
        for opcode, payload, end in frames.parse(data):
            if opcode == frames.TEXT and len(payload) >= EVENT_BYTES:
                events += 1
                self._frame, self._head = end - done, data[done : done + 4]
                if client.log is not None:
                    at = payload.find(MARK) + 1
                    client.log.append((int(payload[at : at + 19]), now))
                    if client.endpoint.last_id and (found := re.search(client.endpoint.last_id, payload)):
                        client.last_id = found[1]
            elif reply := frames.reply(opcode, payload):
                client.sock.send(reply)
            elif opcode == frames.CLOSE:
                raise Refused(f"closed by the server: {payload!r}")
            done = end
        client.buffer = data[done:]
        if events:
            self._count(client, events)

    def _count(self, client: Client, events: int) -> None:
        levels, before = self.levels, client.count
        client.count = after = before + events
        levels[before] -= 1
        levels[after] = levels.get(after, 0) + 1
        self.received += events
        self.reads += 1
        while not levels.get(self.slowest, 0):
            levels.pop(self.slowest, None)
            self.slowest += 1
