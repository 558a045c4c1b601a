"""One address that opens as many connections to nginx as it can."""

from __future__ import annotations

import re
import selectors
import socket
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress

import pytest
import yaml

from local import settings
from local.settings import ROOT
from tests.harness.clients import wait_for
from tests.harness.local import LocalStack
from tests.harness.memory import memory, peak
from tests.harness.sidecar import RawSocket
from tests.harness.visitor import Visitor
from tests.hostile.conftest import ATTACKER

REQUESTS: int = settings.Stack.model_fields["max_requests_per_client"].default
OPEN_SOCKETS = 500
HANDSHAKE = (
    b"GET /ws?topic=board:main HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nContent-Length: 5\r\n\r\n"
)
SLOW_BODY = b"POST /api/notes HTTP/1.1\r\nHost: localhost\r\nContent-Length: 60000\r\n\r\n" + b" " * 50_000


@contextmanager
def crowd(stack: LocalStack, number: int, request: bytes) -> Iterator[list[socket.socket]]:
    """So many connections from the attacker's address, each of which has sent that and waits."""
    with ExitStack() as exits:
        found = []
        for _ in range(number):
            connection = socket.create_connection(
                ("127.0.0.1", stack.port), timeout=30, source_address=(ATTACKER, 0)
            )
            exits.enter_context(connection)
            with suppress(ConnectionError):  # refused and closed while it still sends
                connection.sendall(request)
            found.append(connection)
        yield found


def answers(connections: list[socket.socket], enough: int, seconds: float) -> Counter[str]:
    """The statuses that have come back, until there are enough of them or the time is over."""
    found: Counter[str] = Counter()
    deadline = time.monotonic() + seconds
    with selectors.DefaultSelector() as selector:
        for connection in connections:
            selector.register(connection, selectors.EVENT_READ)
        while found.total() < enough and (left := deadline - time.monotonic()) > 0:
            for key, _ in selector.select(left):
                selector.unregister(key.fileobj)
                try:
                    answer = key.fileobj.recv(100)  # type: ignore[union-attr]
                except ConnectionError:
                    answer = b""
                found[answer[9:12].decode() or "closed"] += 1
    return found


@pytest.mark.usefixtures("remembers")
def test_slow_bodies_of_one_address_take_a_bounded_part(stack: LocalStack, visitor: Visitor) -> None:
    idle = visitor.watch(3)
    before = memory(stack)
    with peak(stack) as most, crowd(stack, REQUESTS + 300, SLOW_BODY) as connections:
        refused = answers(connections, 200, 10)
        assert refused["429"] >= 200, refused
        # The others are cut when nothing more has come from them.
        assert answers(connections, REQUESTS, 30).total() >= REQUESTS
    visitor.report().undisturbed(idle)
    taken = sum(most[name] - before[name] for name in before if name.startswith("nginx"))
    assert taken < 0.2 * REQUESTS, f"{taken:.0f} MiB for {REQUESTS} requests"


@pytest.mark.usefixtures("remembers")
def test_handshakes_with_a_body_are_answered_at_once(stack: LocalStack, visitor: Visitor) -> None:
    idle = visitor.watch(3)
    until = time.monotonic() + 2
    while time.monotonic() < until:
        with crowd(stack, 2000, HANDSHAKE) as connections:
            found = answers(connections, 2000, 20)
        assert set(found) <= {"400", "closed"}
        assert found["400"] >= 1900
    visitor.report().undisturbed(idle)


def test_one_address_holds_as_many_sockets_as_all_sidecars_allow_it() -> None:
    with (
        LocalStack({"MAX_SOCKETS_PER_CLIENT": "10", "ASGI_REPLICAS": "2"}) as stack,
        crowd(stack, 60, HANDSHAKE.replace(b"Content-Length: 5\r\n", b"")) as connections,
    ):
        found = answers(connections, 60, 20)
        assert found["101"] <= 20
        assert found["429"] == 60 - found["101"]
        log = wait_for(
            lambda: stack.logs("nginx") if '"status":429' in stack.logs("nginx") else "", "the log"
        )
    # More than they would let in does not even reach the sidecars.
    assert re.search(r'"status":429,[^}]*"upstream":""', log)


def test_nginx_fits_into_its_memory_with_all_its_connections(stack: LocalStack) -> None:
    """What each takes with a message in both directions, times all that the workers of two cores hold."""
    limit = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]["nginx"]["mem_limit"]
    (most,) = re.findall(r"NGINX_CONNECTIONS=(\d+)", (ROOT / "nginx" / "16-settings.envsh").read_text())

    def size() -> float:
        return sum(size for name, size in memory(stack).items() if name.startswith("nginx"))

    before = size()
    with ExitStack() as exits:
        for _ in range(OPEN_SOCKETS):
            client = RawSocket(stack.base_url, source=ATTACKER, topic="board:memory")
            exits.callback(client.socket.close)
            assert client.status == 101
            client.say({"op": "ping"})
            client.next()
        each = (size() - before) / OPEN_SOCKETS
        print(f"{each * 1024:.1f} KiB each, {before:.0f} MiB before")
    # A socket takes two of a worker's connections, and there are two workers.
    assert before + each * int(most) < 1024 * int(limit.removesuffix("g"))
