"""Clients that say who they are again and again, each time something else, where others listen."""

from __future__ import annotations

import json
import secrets
import socket
import threading
import time
from contextlib import suppress

import pytest

from asgi_app import limits
from tests.harness.local import LocalStack
from tests.harness.sidecar import TEXT, RawSocket, frame
from tests.harness.visitor import Visitor
from tests.hostile.conftest import ATTACKER

SOCKETS = 50
SECONDS = 8
ME = "x" * (limits.ME_BYTES - 60)


def introductions(topic: str, count: int) -> list[bytes]:
    """Prepared: an attacker that takes the machine from the visitor proves nothing."""
    subscribes = [
        {"op": "subscribe", "topic": topic, "me": {"name": ME + secrets.token_hex(12)}} for _ in range(count)
    ]
    return [frame(TEXT, json.dumps(subscribe).encode()) for subscribe in subscribes]


def introduce(clients: list[RawSocket], said: list[bytes], per_second: int) -> bytes:
    """Has all of them say it, and reads what they are told meanwhile; it is returned."""
    begun, heard = time.monotonic(), []
    for number, message in enumerate(said, 1):
        for client in clients:
            client.send(message)
            with suppress(BlockingIOError):
                heard.append(client.socket.recv(1 << 20, socket.MSG_DONTWAIT))
        time.sleep(max(0, begun + number / per_second - time.monotonic()))
    return b"".join(heard)


class Listener(threading.Thread):
    """Listens to the topic, and counts the bytes that say who is there."""

    def __init__(self, stack: LocalStack, topic: str) -> None:
        super().__init__(daemon=True)
        self.bytes = 0
        self._socket = RawSocket(stack.base_url, topic=topic)
        self._until = time.monotonic() + SECONDS
        self.start()

    def run(self) -> None:
        with self._socket as client:
            client.socket.settimeout(SECONDS)
            while time.monotonic() < self._until:
                text = client.expect(TEXT)
                self.bytes += len(text) if json.loads(text)["op"] == "people" else 0


# As often as an address may; and more often, so that most are refused and few are told of.
@pytest.mark.parametrize("per_second", [1, 20])
@pytest.mark.usefixtures("remembers")
def test_who_says_it_all_the_time_drowns_nobody(stack: LocalStack, visitor: Visitor, per_second: int) -> None:
    topic = f"board:{visitor.board}"
    said = introductions(topic, SECONDS * per_second)
    idle = visitor.watch(2)
    clients = [RawSocket(stack.base_url, source=ATTACKER) for _ in range(SOCKETS)]
    try:
        listener = Listener(stack, topic)
        answers = introduce(clients, said, per_second)
        listener.join()
    finally:
        for client in clients:
            client.close()
    during = visitor.report()
    print(f"{listener.bytes} bytes of people")
    during.undisturbed(idle)
    assert (b"too_many_introductions" in answers) is (per_second > 1)
    # Who was there when it came, what may be told at once, and what may be told by the second.
    assert 0 < listener.bytes <= 2 * 16 * 1024 + (SECONDS + 1) * limits.PEOPLE_BYTES_PER_SECOND
