"""What the tests of the sidecar share: its processes one by one, their numbers, clients that break rules."""

from __future__ import annotations

import base64
import json
import os
import secrets
import socket
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

import jwt
import psutil
import pytest

import corkboard
from local.supervisor import Supervisor
from redis import Redis
from tests.harness.clients import http, wait_for
from tests.harness.local import LocalStack

# Where the kit finds its settings is the same for all threads.
_taking_turns = threading.Lock()

TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10


@dataclass(frozen=True)
class Replica:
    """One sidecar process, asked without nginx in between. Like a stack it has a `base_url`."""

    stack: LocalStack
    name: str
    base_url: str

    def process(self) -> psutil.Process:
        """The running process."""
        return wait_for(
            lambda: next(
                (
                    psutil.Process(one.pid)
                    for one in Supervisor(self.stack.state).processes()
                    if one.name == self.name and psutil.pid_exists(one.pid)
                ),
                None,
            ),
            f"a process of {self.name}",
        )

    def numbers(self) -> dict[str, float]:
        """Its metrics: `name` or `name{label="value"}` to value."""
        with http(self) as client:  # type: ignore[arg-type]
            lines = client.get("/metrics").text.splitlines()
        return {
            name: float(value)
            for name, _, value in (line.rpartition(" ") for line in lines if not line.startswith("#"))
        }

    def number(self, name: str) -> float:
        """One of its metrics without the common prefix; 0 when it was never counted."""
        return self.numbers().get(f"corkboard_{name}", 0)


def replicas(stack: LocalStack) -> list[Replica]:
    """The sidecar processes of a stack."""
    ports: dict[str, int] = json.loads((stack.state.run / "ports.json").read_text())
    names = [one.name for one in Supervisor(stack.state).processes() if one.name.startswith("asgi-")]
    return [Replica(stack, name, f"http://127.0.0.1:{ports[name]}") for name in sorted(names)]


def total(stack: LocalStack, name: str) -> float:
    """A metric, summed over all replicas."""
    return sum(replica.number(name) for replica in replicas(stack))


def redis(stack: LocalStack, user: str = "admin") -> Redis:
    """A client of the stack's Redis."""
    port = json.loads((stack.state.run / "ports.json").read_text())["redis"]
    file = stack.state.secrets / ("redis/admin_password" if user == "admin" else f"{user}/redis_password")
    return Redis(port=port, username=user, password=file.read_text(), socket_timeout=30)


# Stores an event that nobody is told of, as when its message got lost. In one step: a reader that sees the
# stream and the offset differ takes it for a loss.
UNSAID = """
redis.call('XADD', KEYS[1], ARGV[1] .. '-0', 'event', ARGV[2])
redis.call('HSET', KEYS[2], 'offset', ARGV[1])
"""


class Publisher:
    """Publishes as an app does, from this process.

    The kit reads its settings at each call, so publishers of several stacks can take turns.
    """

    def __init__(self, app_env: Path) -> None:
        self._app_env = app_env

    def __call__(self, topic: str, data: Any = None, history: int = 10_000) -> str:
        """Publishes one event; its id.

        Raises:
            StoreUnavailable: Redis is away.
        """
        with self._configured(history):
            return corkboard.publish(topic, "test", data)

    def revoke(self, subject: str) -> None:
        """Takes back a subject's tickets."""
        with self._configured():
            corkboard.revoke(subject)

    @contextmanager
    def _configured(self, history: int = 10_000) -> Iterator[None]:
        with _taking_turns, pytest.MonkeyPatch.context() as patch:
            patch.setenv("CORKBOARD_ENV_FILE", str(self._app_env))
            patch.setenv("CORKBOARD_HISTORY_LENGTH", str(history))
            yield


def ticket(
    stack: LocalStack, topics: list[str], seconds: float = 60, key: str | None = None, **more: Any
) -> str:
    """A ticket as the Flask app makes them."""
    given = stack.environment.get("SECRET_KEY")
    key = key or (given.split()[0] if given else (stack.state.secrets / "asgi" / "secret_key").read_text())
    return signed(key, topics, seconds, **more)


def signed(key: str, topics: list[str], seconds: float = 60, **more: Any) -> str:
    """A ticket with this key."""
    now = time.time()
    claims = {"sub": secrets.token_hex(8), "iat": int(now), "exp": now + seconds, "topics": topics, **more}
    return jwt.encode(claims, key, "HS256")


def frame(
    opcode: int, payload: bytes = b"", *, fin: bool = True, reserved: int = 0, masked: bool = True
) -> bytes:
    """A WebSocket frame, right or wrong: RFC 6455 section 5.2."""
    head = bytes([fin << 7 | reserved << 4 | opcode])
    bit = masked << 7
    if len(payload) < 126:
        head += bytes([bit | len(payload)])
    elif len(payload) < 65536:
        head += struct.pack("!BH", bit | 126, len(payload))
    else:
        head += struct.pack("!BQ", bit | 127, len(payload))
    if not masked:
        return head + payload
    key = os.urandom(4)
    repeated = (key * (len(payload) // 4 + 1))[: len(payload)]
    mixed = int.from_bytes(payload, "big") ^ int.from_bytes(repeated, "big")
    return head + key + mixed.to_bytes(len(payload), "big")


def _handshake(host: str, query: dict[str, str]) -> bytes:
    target = "/ws" + (f"?{urlencode(query)}" if query else "")
    key = base64.b64encode(os.urandom(16)).decode()
    return (
        f"GET {target} HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\n"
        f"Connection: Upgrade\r\nSec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n"
    ).encode()


class RawSocket:
    """A WebSocket client that does only what it is told to, right or wrong."""

    def __init__(
        self, base_url: str, *, receive_buffer: int | None = None, source: str = "", **query: str
    ) -> None:
        address = urlsplit(base_url)
        self.socket = socket.socket()
        if source:  # another address of this machine, as another client
            self.socket.bind((source, 0))
        self.socket.settimeout(30)
        if receive_buffer is not None:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.connect((address.hostname, address.port))
        self.socket.sendall(_handshake(address.netloc, query))
        self._read = b""
        while b"\r\n\r\n" not in self._read:
            self._more()
        head, _, self._read = self._read.partition(b"\r\n\r\n")
        self.status = int(head.split()[1])
        self.head = head.decode()

    @staticmethod
    def hang_up_early(base_url: str, source: str = "") -> None:
        """Asks for a WebSocket, and resets the connection before the answer can be there."""
        address = urlsplit(base_url)
        there = (address.hostname, address.port)
        with socket.create_connection(there, source_address=(source, 0)) as connection:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            connection.sendall(_handshake(address.netloc, {}))

    def send(self, *frames: bytes) -> None:
        """Sends bytes as they are."""
        # When the server had enough, its reason can still be read.
        with suppress(BrokenPipeError, ConnectionResetError):
            self.socket.sendall(b"".join(frames))

    def say(self, message: dict[str, Any]) -> None:
        """Sends a JSON message."""
        self.send(frame(TEXT, json.dumps(message).encode()))

    def next(self) -> tuple[int, bytes]:
        """Opcode and payload of the next frame.

        Raises:
            EOFError: the connection ended.
            TimeoutError: nothing came.
        """
        opcode, length = self._bytes(1)[0] & 15, self._bytes(1)[0]
        assert length < 128, "servers do not mask"
        if length == 126:
            length = struct.unpack("!H", self._bytes(2))[0]
        elif length == 127:
            length = struct.unpack("!Q", self._bytes(8))[0]
        return opcode, self._bytes(length)

    def expect(self, opcode: int) -> bytes:
        """The payload of the next frame of this kind; others are passed over."""
        while True:
            found, payload = self.next()
            if found == opcode:
                return payload

    def message(self, op: str) -> dict[str, Any]:
        """The next message of this kind."""
        while True:
            message: dict[str, Any] = json.loads(self.expect(TEXT))
            if message["op"] == op:
                return message

    def code(self) -> int | None:
        """The code of the close frame that comes next; None when it says none."""
        payload = self.expect(CLOSE)
        return struct.unpack("!H", payload[:2])[0] if payload else None

    def ended(self) -> bool:
        """Whether the server ends the connection now."""
        try:
            while self.next():
                pass
        except (EOFError, ConnectionResetError):
            return True
        except TimeoutError:
            return False

    def close(self) -> None:
        """Hangs up."""
        self.socket.close()

    def __enter__(self) -> RawSocket:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _bytes(self, count: int) -> bytes:
        while len(self._read) < count:
            self._more()
        found, self._read = self._read[:count], self._read[count:]
        return found

    def _more(self) -> None:
        received = self.socket.recv(65536)
        if not received:
            raise EOFError
        self._read += received


@contextmanager
def running(environment: dict[str, str]) -> Iterator[LocalStack]:
    """A stack of its own, with settings of its own."""
    with LocalStack(environment) as stack:
        yield stack
