"""Thousands of subscribers in one process: plain sockets and one epoll, cheaper than any server.

The frames of an event all have the same length. What a read brought is usually some whole ones, and is
counted without being looked at; anything else is taken apart frame by frame.
"""

from __future__ import annotations

import select
import socket
import time
from collections.abc import Callable

from bench import wire
from bench.subscriber import MARK, RESET, Entrance, Refused, Subscriber

EVENT_BYTES = 190  # a text frame of at least this size is an event
BUFFER = bytearray(256 * 1024)
STALLED_SECONDS = 15.0  # without any event


class Swarm:
    """All subscribers of this process. `levels` says how many have received how many events."""

    def __init__(self) -> None:
        self.received = 0
        self.reads = 0
        self.delays: list[int] = []  # nanoseconds, of the subscribers that probe
        self.levels: dict[int, int] = {}
        self.slowest = 0  # events that everybody has
        self.subscribers: dict[int, Subscriber] = {}
        self.others: dict[int, Callable[[], None]] = {}
        self._poll = select.epoll()
        self._frame = 0  # bytes of an event's frame
        self._head = b""

    def open(self, entrance: Entrance, number: int, at_once: int = 64, seconds: float = 120) -> float:
        """Adds subscribers; returns the seconds until all were ready.

        Raises:
            Refused: one was not let in, or it took too long.
        """
        begun = time.perf_counter()
        waiting: set[int] = set()
        opened = 0
        while opened < number or waiting:
            while opened < number and len(waiting) < at_once:
                waiting.add(self._connect(entrance))
                opened += 1
            for fd, _ in self._poll.poll(1):
                if fd in self.others:
                    self.others[fd]()
                    continue
                subscriber = self.subscribers[fd]
                if subscriber.open:
                    self._read(subscriber)
                elif self._advance(subscriber, entrance):
                    waiting.discard(fd)
            if time.perf_counter() - begun > seconds:
                raise Refused(f"{len(waiting)} of {number} handshakes not finished after {seconds} s")
        return time.perf_counter() - begun

    def watch(self, sock: socket.socket, on_data: Callable[[], None]) -> None:
        """Watches another socket with the same loop."""
        self.others[sock.fileno()] = on_data
        self._poll.register(sock.fileno(), select.EPOLLIN)

    def turn(self, seconds: float) -> None:
        """Reads what there is, or waits for it at most so long."""
        for fd, _ in self._poll.poll(seconds, 64):
            subscriber = self.subscribers.get(fd)
            if subscriber is not None:
                self._read(subscriber)
            else:
                self.others[fd]()

    def wait(self, condition: Callable[[], bool], what: str, seconds: float = 30) -> None:
        """Turns until the condition holds.

        Raises:
            Refused: it never did.
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
        """Only reads, for a while."""
        deadline = time.perf_counter() + seconds
        while (left := deadline - time.perf_counter()) > 0:
            self.turn(left)

    def probe(self, number: int) -> None:
        """So many subscribers, evenly spread, note the delay of each event."""
        everybody = list(self.subscribers.values())
        for subscriber in everybody[:: max(1, len(everybody) // number)]:
            subscriber.is_probe = True

    def close(self) -> None:
        """Hangs up everywhere."""
        for subscriber in self.subscribers.values():
            subscriber.sock.close()
        self._poll.close()

    def _connect(self, entrance: Entrance) -> int:
        sock = socket.socket()
        sock.setblocking(False)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        sock.connect_ex(("127.0.0.1", entrance.port))
        fd = sock.fileno()
        self.subscribers[fd] = Subscriber(sock)
        self._poll.register(fd, select.EPOLLOUT)
        self.levels[0] = self.levels.get(0, 0) + 1
        return fd

    def _advance(self, subscriber: Subscriber, entrance: Entrance) -> bool:
        sock = subscriber.sock
        if subscriber.stage == "connecting":
            sock.send(entrance.request)
            self._poll.modify(sock.fileno(), select.EPOLLIN)
            subscriber.stage = "asking"
            return False
        received = sock.recv(65536)
        if not received:
            raise Refused(f"closed during the handshake: {subscriber.rest[:300]!r}")
        subscriber.rest += received
        if subscriber.stage == "asking":
            head, separator, rest = subscriber.rest.partition(b"\r\n\r\n")
            if not separator:
                return False
            if b" 101 " not in head[:20]:
                raise Refused(head.decode(errors="replace"))
            subscriber.rest, subscriber.stage = rest, "waiting"
            if entrance.hello:
                sock.send(entrance.hello)
        if entrance.ready not in subscriber.rest:
            return False
        subscriber.open = True
        self._take_apart(subscriber, b"")
        return True

    def _read(self, subscriber: Subscriber) -> None:
        size = subscriber.sock.recv_into(BUFFER)
        frame = self._frame
        if (
            not subscriber.rest
            and frame
            and not size % frame
            and BUFFER[:4] == self._head
            and BUFFER[size - frame : size - frame + 4] == self._head
            and not subscriber.is_probe
        ):
            self._count(subscriber, size // frame)
        elif size:
            self._take_apart(subscriber, bytes(BUFFER[:size]))
        else:
            raise Refused(f"hung up after {subscriber.count} events: {subscriber.rest[:100]!r}")

    def _take_apart(self, subscriber: Subscriber, received: bytes) -> None:
        now = time.monotonic_ns()
        data = subscriber.rest + received
        done = events = 0
        for opcode, payload, end in wire.frames(data):
            if opcode == wire.TEXT and len(payload) >= EVENT_BYTES:
                events += 1
                self._frame, self._head = end - done, data[done : done + 4]
                if subscriber.is_probe:
                    at = payload.find(MARK) + 1
                    self.delays.append(now - int(payload[at : at + 19]))
            elif reply := wire.reply(opcode, payload):
                subscriber.sock.send(reply)
            elif opcode == wire.CLOSE:
                raise Refused(f"closed by the server: {payload!r}")
            done = end
        subscriber.rest = data[done:]
        if events:
            self._count(subscriber, events)

    def _count(self, subscriber: Subscriber, events: int) -> None:
        levels, before = self.levels, subscriber.count
        subscriber.count = after = before + events
        levels[before] -= 1
        levels[after] = levels.get(after, 0) + 1
        self.received += events
        self.reads += 1
        while not levels.get(self.slowest, 0):
            levels.pop(self.slowest, None)
            self.slowest += 1
