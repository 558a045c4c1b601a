"""A client that does not read is sent away in time; nobody else notices, and it loses nothing."""

from __future__ import annotations

import socket
import threading
import time
from urllib.parse import urlsplit

import pytest

from tests.harness.clients import Socket, wait_for
from tests.harness.local import LocalStack
from tests.harness.sidecar import Publisher, RawSocket, Replica, redis, replicas

BYTES = 40_000
RATE = 50  # events a second
HISTORY = 1500
# What the kernel takes for a client that does not read, and nginx's part of the way too.
ON_THE_WAY = 8_000_000


class Writer(threading.Thread):
    """Publishes steadily until it is told to stop."""

    def __init__(self, publish: Publisher, topic: str) -> None:
        super().__init__(daemon=True)
        self.sent: list[str] = []
        self.longest_pause = 0.0
        self._publish = publish
        self._topic = topic
        self._halt = threading.Event()

    def run(self) -> None:
        last = time.monotonic()
        while not self._halt.wait(1 / RATE):
            self.sent.append(self._publish(self._topic, "x" * BYTES, HISTORY))
            self.longest_pause = max(self.longest_pause, time.monotonic() - last)
            last = time.monotonic()

    def finish(self) -> None:
        self._halt.set()
        self.join(60)


class Reader(threading.Thread):
    """Reads everything at once, and measures how long nothing comes."""

    def __init__(self, replica: Replica, topic: str) -> None:
        super().__init__(daemon=True)
        self.socket = Socket(replica, topic=topic, since="0-0")  # type: ignore[arg-type]
        self.socket.expect("subscribed")
        self.ids: list[str] = []
        self.longest_pause = 0.0
        self._halt = threading.Event()

    def run(self) -> None:
        last = time.monotonic()
        while True:
            try:
                self.ids.append(self.socket.expect("event", 0.5)["id"])
            except TimeoutError:
                if self._halt.is_set():
                    return
                continue
            self.longest_pause = max(self.longest_pause, time.monotonic() - last)
            last = time.monotonic()

    def finish(self) -> None:
        """To be called when all that it waits for has come; what comes too much is read as well."""
        self._halt.set()
        self.join(60)


@pytest.mark.parametrize("through", ["sidecar", "nginx"])
def test_who_does_not_read_is_gone_in_time_and_comes_back_without_loss(
    local_stack: LocalStack, board: str, through: str
) -> None:
    topic = f"board:{board}"
    everyone = replicas(local_stack)
    wait_for(lambda: sum(one.number("connections") for one in everyone) == 0, "an empty room")
    url = everyone[0].base_url if through == "sidecar" else local_stack.base_url
    with RawSocket(url, receive_buffer=8192, topic=topic, since="0-0") as slow:
        found = wait_for(
            lambda: next((one for one in everyone if one.number("connections")), None),
            "the slow one's process",
        )
        before = found.process().memory_info().rss
        evicted = found.number('evictions_total{code="1013"}')
        reader = Reader(found, topic)
        reader.start()
        writer = Writer(Publisher(local_stack.state.app_env), topic)
        writer.start()
        try:
            # Until the buffers on the way are full it is not slow.
            wait_for(lambda: len(writer.sent) * BYTES > ON_THE_WAY, "more than the buffers hold", 120)
            begun = time.monotonic()
            wait_for(lambda: found.number("connections") == 1, "the slow one to be gone", 60)
            took = time.monotonic() - begun
            grown = found.process().memory_info().rss - before
        finally:
            writer.finish()
        # Ten seconds, two for its answer to the goodbye, and what a busy machine adds.
        assert took < 15
        # The tail (1 MiB), a frame beside each of its events, and what waits for the slow one (1 MiB).
        assert grown < 24 * 1024 * 1024
        if through == "sidecar":
            assert found.number('evictions_total{code="1013"}') == evicted + 1
        wait_for(lambda: reader.ids[-1:] == writer.sent[-1:], "the last event", 60)
        reader.finish()
        reader.socket.close()
        assert reader.ids == writer.sent
        # A machine that stands still makes both wait. Who waited for the slow one would wait 10 s.
        assert reader.longest_pause < writer.longest_pause + 3
        # It reads at last: what had been written for it is there, in order, and the rest comes after it.
        slow.socket.settimeout(2)
        seen: list[str] = []
        try:
            while True:
                seen.append(slow.message("event")["id"])
        except (OSError, EOFError):
            pass
    assert seen == writer.sent[: len(seen)]
    missing = writer.sent[len(seen) :]
    with Socket(local_stack, topic=topic, since=seen[-1] if seen else "0-0") as again:
        assert again.expect("subscribed")["recovered"] is True
        assert [again.expect("event")["id"] for _ in missing] == missing
    redis(local_stack).delete(f"stream:{{{topic}}}")


def test_who_vanishes_without_a_word_is_noticed(local_stack: LocalStack, board: str) -> None:
    everyone = replicas(local_stack)
    wait_for(lambda: sum(one.number("connections") for one in everyone) == 0, "an empty room")
    # Neither answers a ping, as if its network were gone; its kernel says nothing either.
    with (
        RawSocket(everyone[0].base_url, topic=f"board:{board}"),
        RawSocket(local_stack.base_url, topic=f"board:{board}"),
    ):
        wait_for(lambda: sum(one.number("connections") for one in everyone) == 2, "both to be there")
        begun = time.monotonic()
        wait_for(lambda: sum(one.number("connections") for one in everyone) == 0, "both to be gone", 60)
        assert 15 < time.monotonic() - begun < 45


def test_a_stream_that_is_not_read_is_ended_and_counted(local_stack: LocalStack, board: str) -> None:
    replica = replicas(local_stack)[0]
    wait_for(lambda: replica.number("connections") == 0, "an empty room")
    before = replica.number('evictions_total{code="1013"}')
    address = urlsplit(replica.base_url)
    with socket.socket() as slow:
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
        slow.connect((address.hostname, address.port))
        slow.sendall(f"GET /ws/events?topic=board:{board} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
        wait_for(lambda: replica.number("subscriptions") == 1, "the stream to begin")
        writer = Writer(Publisher(local_stack.state.app_env), f"board:{board}")
        writer.start()
        try:
            wait_for(lambda: replica.number('evictions_total{code="1013"}') == before + 1, "its end", 120)
        finally:
            writer.finish()
    wait_for(lambda: replica.number("connections") == 0, "an empty room")
    redis(local_stack).delete(f"stream:{{board:{board}}}")
