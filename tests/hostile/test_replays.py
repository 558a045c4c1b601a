"""Clients that ask for what they missed again and again, or ask for all of it and read nothing."""

from __future__ import annotations

import socket
import threading
import time
from contextlib import ExitStack, suppress
from urllib.parse import urlsplit

import pytest

from tests.harness.local import LocalStack
from tests.harness.memory import peak
from tests.harness.sidecar import Publisher, RawSocket, replicas
from tests.harness.visitor import Visitor
from tests.hostile.conftest import ATTACKER

CLIENTS = 800
EVENTS = 1500
BYTES = 2000
MOST_MIB = 250
PER_SECOND = 100
SECONDS = 2


@pytest.fixture(scope="module")
def long_topic(publish: Publisher) -> str:
    """A topic with a history of 3 MB."""
    topic = "board:long"
    for _ in range(EVENTS):
        publish(topic, "x" * BYTES)
    return topic


def epoch_of(stack: LocalStack, topic: str) -> str:
    with RawSocket(stack.base_url, topic=topic) as client:
        return str(client.message("subscribed")["cursor"]).rpartition("-")[0]


@pytest.mark.parametrize("way", ["websocket", "sse"])
@pytest.mark.usefixtures("remembers")
def test_many_who_ask_for_everything_and_read_nothing_cost_little(
    stack: LocalStack, visitor: Visitor, long_topic: str, way: str
) -> None:
    epoch = epoch_of(stack, long_topic)
    idle = visitor.watch(2)
    with peak(stack) as most, ExitStack() as clients:
        begun = time.monotonic()
        for number in range(CLIENTS):
            # It is not the handshakes that matter here.
            time.sleep(max(0, begun + number / PER_SECOND - time.monotonic()))
            # Each begins elsewhere among the last events, which a process remembers.
            since = f"{epoch}-{EVENTS - 20 - number % 470}"
            clients.enter_context(_silent(stack, way, long_topic, since))
        time.sleep(SECONDS)
        during = visitor.report()
    print({name: round(size) for name, size in most.items()})
    during.undisturbed(idle)
    for replica in replicas(stack):
        assert most[replica.name] < MOST_MIB, most


def _silent(stack: LocalStack, way: str, topic: str, since: str) -> socket.socket:
    # Nobody waits for the answer: 800 handshakes one after the other would take their time.
    address = urlsplit(stack.base_url)
    client = socket.create_connection((address.hostname, address.port), source_address=(ATTACKER, 0))
    path = "/ws" if way == "websocket" else "/ws/events"
    upgrade = (
        "Upgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
    )
    client.sendall(
        f"GET {path}?topic={topic}&since={since} HTTP/1.1\r\nHost: {address.netloc}\r\n"
        f"{upgrade if way == 'websocket' else ''}\r\n".encode()
    )
    return client


def test_an_address_gets_only_so_many_bytes_a_second(
    stack: LocalStack, visitor: Visitor, long_topic: str
) -> None:
    received = [0] * 8

    def take(number: int) -> None:
        while time.monotonic() < until:
            with suppress(OSError), _silent(stack, "websocket", long_topic, "0-0") as client:
                client.settimeout(1)
                got = 0
                while time.monotonic() < until and got < EVENTS * BYTES:  # and comes back for the same
                    more = len(client.recv(2**20))
                    if not more:
                        break
                    got += more
                    received[number] += more

    idle = visitor.watch(2)
    until = time.monotonic() + SECONDS
    threads = [threading.Thread(target=take, args=(number,)) for number in range(len(received))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    rate = sum(received) / SECONDS
    print(f"{rate / 2**20:.1f} MiB a second")
    visitor.report().undisturbed(idle)
    # An eighth of 64 MiB/s for each process, a second's worth at once before, and what was on its way.
    most = len(replicas(stack)) * 8 * 2**20 * (SECONDS + 1) / SECONDS
    assert rate < 1.5 * most
