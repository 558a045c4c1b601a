"""Publishers of events of 200 bytes, one per system, each driven by the load generator's own loop."""

from __future__ import annotations

import json
import os
import socket
import time
from collections import deque
from collections.abc import Callable
from typing import Protocol

from bench.clients import MARK, Clients
from bench.resp import Redis, command, raise_errors
from corkboard.publish import Event, facts, words
from corkboard.store import Store

BYTES = 200
NO_DATA = b'$2\r\n""\r\n'  # the JSON of an empty string, as an argument


class Publisher(Protocol):
    """Sends events and does not wait for the answers."""

    def send(self, number: int) -> None:
        """Publishes so many events at once."""


# Picklable, because the load generator is a process of its own; the loop of `Clients` reads the answers.
StartPublisher = Callable[[Clients], Publisher]


def timestamp() -> bytes:
    """The current moment, in the form that recording clients look for."""
    return MARK + b"%019d" % time.monotonic_ns()


class CorkboardPublisher:
    """Sends to Redis what `corkboard.publish` sends, and does not wait for the answers.

    The kit prepares one call per `send`; its data, the last argument, is replaced for each event.
    """

    def __init__(self, clients: Clients, redis: Redis, topic: str) -> None:
        os.environ["CORKBOARD_URL"] = redis.url
        self._topic, self._store = topic, Store(redis.url)
        self._store.load()
        self._sock = redis.connect()
        self._sock.sendall(self._call_without_data() + NO_DATA)
        answer = self._sock.recv(4096)
        if answer[:1] != b"*":
            raise ConnectionError(f"Redis refuses the function: {answer!r}")
        epoch, _, offset = answer.splitlines()[-1].decode().partition("-")
        self._offset = int(offset)
        event = (
            f'{{"op":"event","topic":"{topic}","id":"{epoch}-","type":"bench",'
            f'"time":"{facts()["time"]}","request_id":"","data":""}}'
        )
        self._envelope = len(event)
        clients.watch(self._sock, raise_errors(self._sock))

    def send(self, number: int) -> None:
        call, sent = self._call_without_data(), bytearray()
        for _ in range(number):
            self._offset += 1
            size = BYTES - self._envelope - len(str(self._offset))
            sent += call + b'$%d\r\n"%b"\r\n' % (size + 2, timestamp().ljust(size, b"."))
        self._sock.sendall(sent)

    def _call_without_data(self) -> bytes:
        keys, arguments = words([Event(self._topic, "bench", "")])
        return command(*self._store.command("publish", keys, *arguments)).removesuffix(NO_DATA)


class SocketIOPublisher:
    """Puts into Redis what `SocketIO(message_queue=...).emit` puts there: JSON in one channel."""

    def __init__(self, clients: Clients, redis: Redis) -> None:
        self._sock = redis.connect()
        clients.watch(self._sock, raise_errors(self._sock))

    def send(self, number: int) -> None:
        self._sock.sendall(b"".join(self._publish() for _ in range(number)))

    def _publish(self) -> bytes:
        # The packet is 42["event","..."]: 200 bytes in all.
        data = (timestamp() + b"." * (BYTES - 34)).decode()
        message = {
            "method": "emit", "event": "event", "data": [data], "binary": False, "namespace": "/",
            "room": None, "skip_sid": None, "callback": None, "host_id": "bench",
        }  # fmt: skip
        return command("PUBLISH", "flask-socketio", json.dumps(message))


class NchanPublisher:
    """POSTs to Nchan's publishing location, each on an idle connection.

    Two connections keep no order: `in_order` uses one, where a POST waits for the last one's answer.
    """

    def __init__(self, clients: Clients, port: int, in_order: bool = False) -> None:
        self._clients, self._port, self._in_order = clients, port, in_order
        self._idle: list[socket.socket] = [self._connect()] if in_order else []
        self._waiting: deque[bytes] = deque()

    def send(self, number: int) -> None:
        for _ in range(number):
            body = b'{"op":"event","data":"' + timestamp()
            body += b"." * (BYTES - 2 - len(body)) + b'"}'
            self._waiting.append(
                b"POST /publish HTTP/1.1\r\nHost: bench\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)
            )
        self._send_waiting()

    def _send_waiting(self) -> None:
        while self._waiting and (self._idle or not self._in_order):
            sock = self._idle.pop() if self._idle else self._connect()
            sock.sendall(self._waiting.popleft())

    def _connect(self) -> socket.socket:
        sock = socket.create_connection(("127.0.0.1", self._port))
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

        def answered() -> None:
            answer = sock.recv(65536)
            if not answer.startswith(b"HTTP/1.1 20"):
                raise ConnectionError(f"Nchan refused an event: {answer[:200]!r}")
            self._idle.append(sock)
            self._send_waiting()

        self._clients.watch(sock, answered)
        return sock
