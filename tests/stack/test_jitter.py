"""Hundreds of clients on bad lines: all arrives, once and in order, whatever is restarted meanwhile."""

from __future__ import annotations

import asyncio
import json
import random
import threading
from contextlib import suppress
from typing import Any

from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake

from corkboard import StoreUnavailable
from tests.harness.clients import wait_for
from tests.harness.local import LocalStack
from tests.harness.sidecar import Publisher, redis, replicas

CLIENTS = 500
SECONDS = 25
RATE = 10  # events a second
CUT_EVERY = (3, 9)  # seconds
CUT_FOR = (0.0, 2.0)
RETRY_FIRST, RETRY_MOST = 0.2, 3.0


class Client:
    """Comes back with its last id, after a pause drawn from all of a range that doubles."""

    def __init__(self, url: str, topic: str) -> None:
        self.ids: list[str] = []
        self.lost = 0
        self.cuts = 0
        self._url = f"{url.replace('http', 'ws', 1)}/ws?topic={topic}&since="
        self._last = "0-0"
        self.calm = False

    async def run(self) -> None:
        tries = 0
        while True:
            try:
                async with connect(
                    self._url + self._last, proxy=None, compression=None, open_timeout=15, close_timeout=1
                ) as socket:
                    tries = 0
                    await self._listen(socket)
            except (InvalidHandshake, ConnectionClosed, OSError, TimeoutError):
                tries += 1
                await asyncio.sleep(random.uniform(0, min(RETRY_MOST, RETRY_FIRST * 2**tries)))

    async def _listen(self, socket: Any) -> None:
        loop = asyncio.get_running_loop()
        cut = loop.time() + random.uniform(*CUT_EVERY)
        while self.calm or loop.time() < cut:
            try:
                async with asyncio.timeout(None if self.calm else cut - loop.time()):
                    message = json.loads(await socket.recv())
            except TimeoutError:
                break
            if message["op"] == "subscribed":
                self.lost += not message["recovered"]
            elif message["op"] == "event":
                self.ids.append(message["id"])
                self._last = message["id"]
        # As when a phone loses its network: no goodbye.
        socket.transport.abort()
        self.cuts += 1
        if not self.calm:
            await asyncio.sleep(random.uniform(*CUT_FOR))


def publish_until(local_stack: LocalStack, topic: str, stop: threading.Event, acknowledged: set[str]) -> None:
    """Publishes steadily, and collects the ids of those that were acknowledged."""
    publish = Publisher(local_stack.state.app_env)
    while not stop.wait(1 / RATE):
        with suppress(StoreUnavailable):
            acknowledged.add(publish(topic, len(acknowledged)))


def test_all_is_delivered_once_and_in_order_to_clients_on_bad_lines(
    local_stack: LocalStack, board: str
) -> None:
    topic = f"board:{board}"

    async def story() -> tuple[list[Client], set[str], list[str]]:
        clients = [Client(local_stack.base_url, topic) for _ in range(CLIENTS)]
        tasks = []
        for client in clients:
            tasks.append(asyncio.create_task(client.run()))
            await asyncio.sleep(0.002)
        acknowledged: set[str] = set()
        stop = threading.Event()
        writing = asyncio.create_task(
            asyncio.to_thread(publish_until, local_stack, topic, stop, acknowledged)
        )
        try:
            await asyncio.sleep(SECONDS / 3)
            await asyncio.to_thread(local_stack.kill, "redis")
            await asyncio.sleep(SECONDS / 3)
            victim = await asyncio.to_thread(replicas(local_stack)[1].process)
            victim.kill()
            await asyncio.sleep(SECONDS / 3)
            # A busy machine may take longer for as much.
            for enough, what in (
                (lambda: len(acknowledged) > SECONDS * RATE / 3, "enough events"),
                (lambda: sum(client.cuts for client in clients) > 2 * CLIENTS, "enough cuts"),
            ):
                await asyncio.to_thread(wait_for, enough, what, 90)
        finally:
            stop.set()
            await writing
        for client in clients:
            client.calm = True
        written = [
            f"{epoch}-{entry.decode().partition('-')[0]}"
            for epoch in [next(iter(acknowledged)).partition("-")[0]]
            for entry, _ in redis(local_stack).xrange(f"stream:{{{topic}}}")
        ]
        await asyncio.to_thread(
            wait_for, lambda: all(client.ids[-1:] == written[-1:] for client in clients), "the last event", 90
        )
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        return clients, acknowledged, written

    clients, acknowledged, written = asyncio.run(story())
    assert acknowledged <= set(written)
    for client in clients:
        assert client.lost == 0
        assert client.ids == written
