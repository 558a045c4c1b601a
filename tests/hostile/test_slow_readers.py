"""Clients that take large answers, and take their time."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from statistics import median

import httpx
import pytest

from tests.harness.boards import many_notes
from tests.harness.clients import http
from tests.harness.local import LocalStack
from tests.harness.visitor import Visitor

# More than the app has threads.
READERS = 100
SECONDS = 6
# As a real page's, 27 kB a second, and everywhere in the kernel as little room as there can be.
READ_BYTES, PAUSE = 2_700, 0.1


@contextmanager
def slow_readers(stack: LocalStack, path: str) -> Iterator[list[socket.socket]]:
    """A hundred connections, two per address, that asked for the path and read nothing yet."""
    with ExitStack() as connections:
        readers = []
        for number in range(READERS):
            reader = connections.enter_context(socket.socket())
            reader.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            reader.bind((f"127.0.1.{1 + number // 2}", 0))
            reader.connect(("127.0.0.1", stack.port))
            reader.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
            reader.setblocking(False)
            readers.append(reader)
            time.sleep(PAUSE / 4)  # it is not the burst that matters here
        yield readers


def usual(client: httpx.Client, readers: list[socket.socket]) -> float:
    """How long it takes in the meantime what a person asks for: the median, in seconds."""
    took = []
    until = time.monotonic() + SECONDS
    while time.monotonic() < until:
        for method, path in (("GET", "/"), ("GET", "/readyz"), ("POST", "/api/notes")):
            begun = time.monotonic()
            body = {"text": "in the meantime"} if method == "POST" else None
            client.request(method, path, json=body).raise_for_status()
            took.append(time.monotonic() - begun)
        for reader in readers:
            try:
                reader.recv(READ_BYTES)
            except BlockingIOError:
                pass
            except OSError:
                readers.remove(reader)
        time.sleep(PAUSE)
    return median(took)


@pytest.fixture(scope="module")
def board(stack: LocalStack) -> Iterator[str]:
    with many_notes(stack, 6_000, "x" * 6_000) as board:
        yield board


@pytest.mark.usefixtures("remembers")
def test_exports_to_slow_readers_hold_no_threads_that_others_need(
    stack: LocalStack, visitor: Visitor, board: str
) -> None:
    idle = visitor.watch(1)
    path = f"/api/notes/export?board={board}"
    # A request that finds no thread takes longer than this.
    with http(stack, timeout=10) as client, slow_readers(stack, path) as readers:
        assert usual(client, readers) < 1
    visitor.report().undisturbed(idle)
