"""A client that floods the sidecar with frames, as fast as nginx takes them, and comes back when closed."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import suppress

import pytest

from tests.harness.local import LocalStack
from tests.harness.memory import given_back, memory, peak
from tests.harness.sidecar import PING, PONG, TEXT, RawSocket, frame
from tests.harness.visitor import Report, Visitor
from tests.hostile.conftest import ATTACKER

SECONDS = 3
SOCKETS = 2
# Prepared: an attacker that takes the machine from the visitor proves nothing.
FLOODS = {
    "pings": frame(PING) * 40_000,
    "long pings": frame(PING, b"x" * 125) * 2000,
    "pongs": frame(PONG) * 40_000,
    "fragments": frame(TEXT, fin=False) + frame(0, fin=False) * 40_000,
    "messages": frame(TEXT, b'{"op":"ping"}') * 10_000,
    "large messages": frame(TEXT, b" " * 65_000) * 4,
}


class Flood(threading.Thread):
    """Sends the same bytes again and again; reads nothing. `closed` counts how often it had to come back."""

    def __init__(self, base_url: str, data: bytes) -> None:
        super().__init__(daemon=True)
        self.closed = 0
        self._base_url = base_url
        self._data = data
        self._until = time.monotonic() + SECONDS

    def run(self) -> None:
        while time.monotonic() < self._until:
            with suppress(OSError, EOFError), RawSocket(self._base_url, source=ATTACKER) as client:
                client.socket.settimeout(1)
                while time.monotonic() < self._until:
                    client.socket.sendall(self._data)
            self.closed += 1


@pytest.fixture(scope="module")
def watching(stack: LocalStack) -> Iterator[tuple[Visitor, Report]]:
    """A visitor for all floods, and what it saw before them."""
    with Visitor(stack) as visitor:
        yield visitor, visitor.watch(2)


@pytest.mark.parametrize("kind", FLOODS)
def test_a_flood_of_frames_is_stopped_and_nobody_else_notices(
    stack: LocalStack, watching: tuple[Visitor, Report], kind: str
) -> None:
    visitor, idle = watching
    visitor.report()
    before = memory(stack)
    floods = [Flood(stack.base_url, FLOODS[kind]) for _ in range(SOCKETS)]
    with peak(stack) as most:
        for flood in floods:
            flood.start()
        for flood in floods:
            flood.join()
    during = visitor.report()
    print(f"closed {[flood.closed for flood in floods]} times")
    during.undisturbed(idle)
    # Not even what it is told, and does not read.
    assert given_back(before, most), f"before {before}, at most {most}"
