"""A process that is told to stop sends its clients away one by one, and they lose nothing."""

from __future__ import annotations

import asyncio
import json
import signal
import threading
import time
from typing import Any

import httpx
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus

from tests.harness.clients import http, wait_for
from tests.harness.local import LocalStack
from tests.harness.sidecar import Publisher, Replica, replicas, running

CLIENTS = 100
DRAIN_SECONDS = 8  # the default


class Client:
    """Connects to one process first, and comes back through nginx."""

    def __init__(self, first: Replica, stack: LocalStack, topic: str) -> None:
        self.events: list[str] = []
        self.closed: tuple[int, float] | None = None
        self.lost = 0
        self.begun = asyncio.Event()
        self._urls = [first.base_url, stack.base_url]
        self._topic = topic
        self._last = "0-0"

    async def run(self) -> None:
        url = self._urls[0]
        while True:
            target = f"{url.replace('http', 'ws', 1)}/ws?topic={self._topic}&since={self._last}"
            try:
                async with connect(target, proxy=None, compression=None, open_timeout=20) as socket:
                    async for text in socket:
                        self._take(json.loads(text))
            except (InvalidHandshake, OSError):
                await asyncio.sleep(0.2)
                continue
            except ConnectionClosed:
                pass
            if self.closed is None and socket.close_code is not None:
                self.closed = socket.close_code, time.monotonic()
            url = self._urls[1]

    def _take(self, message: dict[str, Any]) -> None:
        if message["op"] == "subscribed":
            self.lost += not message["recovered"]
            self.begun.set()
        elif message["op"] == "event":
            self.events.append(message["id"])
            self._last = message["id"]


def test_a_stop_is_spread_over_the_drain_window_and_loses_nothing(
    local_stack: LocalStack, board: str
) -> None:
    leaving = replicas(local_stack)[0]
    topic = f"board:{board}"
    publish = Publisher(local_stack.state.app_env)
    sent: list[str] = []
    facts: dict[str, Any] = {}

    async def story() -> list[Client]:
        clients = [Client(leaving, local_stack, topic) for _ in range(CLIENTS)]
        tasks = [asyncio.create_task(client.run()) for client in clients]
        async with asyncio.timeout(60):
            await asyncio.gather(*(client.begun.wait() for client in clients))
        process = await asyncio.to_thread(leaving.process)
        listener = asyncio.create_task(asyncio.to_thread(_listen, leaving, topic, facts))
        await asyncio.to_thread(
            wait_for, lambda: leaving.number("connections") >= CLIENTS + 2, "both listeners"
        )
        facts["told"] = time.monotonic()
        process.terminate()
        while process.is_running() and time.monotonic() < facts["told"] + 30:
            sent.append(await asyncio.to_thread(publish, topic, "x" * 100))
            if "refused" not in facts and time.monotonic() > facts["told"] + 1:
                facts["refused"] = await _handshake(leaving)
            await asyncio.sleep(0.05)
        facts["gone"] = time.monotonic() - facts["told"]
        sent.append(await asyncio.to_thread(publish, topic, "last"))
        await listener
        await asyncio.to_thread(
            wait_for, lambda: all(len(client.events) >= len(sent) for client in clients), "all events", 60
        )
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        return clients

    clients = asyncio.run(story())
    assert facts["refused"] == 503
    # What a busy machine adds; whoever stops a process gives it 25 s, or kills it.
    assert facts["gone"] < 25
    assert {client.closed[0] for client in clients if client.closed} == {1012}
    times = sorted(client.closed[1] - facts["told"] for client in clients if client.closed)
    assert len(times) == CLIENTS
    assert times[CLIENTS // 4] > DRAIN_SECONDS / 8
    assert times[-1] > DRAIN_SECONDS / 2
    assert times[-1] < DRAIN_SECONDS + 8
    for client in clients:
        assert client.events == sent
        assert client.lost == 0
    assert "retry: " in facts["stream"]
    assert facts["poll"].status_code in (200, 503)
    # At once: by itself it would have ended after 25 s.
    assert facts["polled"] < 12
    wait_for(lambda: leaving.number("reader_sessions_total"), "the process again", 60)


def test_two_that_are_told_to_stop_at_once_leave_one_after_the_other(board: str) -> None:
    """Those whom the first sends away find the second, which serves on meanwhile."""
    with running({"DRAIN_SECONDS": "2"}) as stack:
        first, second = replicas(stack)

        async def story() -> list[list[float]]:
            clients = [[Client(one, stack, f"board:{board}") for _ in range(10)] for one in (first, second)]
            tasks = [asyncio.create_task(client.run()) for group in clients for client in group]
            async with asyncio.timeout(60):
                await asyncio.gather(*(client.begun.wait() for group in clients for client in group))
            for one in (first, second):
                (await asyncio.to_thread(one.process)).terminate()
            await asyncio.to_thread(
                wait_for, lambda: all(one.closed for group in clients for one in group), "all to be sent away"
            )
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            return [[one.closed[1] for one in group if one.closed] for group in clients]

        one, other = asyncio.run(story())
    assert max(one) < min(other) or max(other) < min(one)


def test_connections_that_are_renewed_end_one_by_one_and_lose_nothing(
    local_stack: LocalStack, board: str
) -> None:
    replica, topic = replicas(local_stack)[0], f"board:{board}"
    publish = Publisher(local_stack.state.app_env)
    sent: list[str] = []

    async def story() -> list[float]:
        clients = [Client(replica, local_stack, topic) for _ in range(CLIENTS)]
        tasks = [asyncio.create_task(client.run()) for client in clients]
        async with asyncio.timeout(60):
            await asyncio.gather(*(client.begun.wait() for client in clients))
        process, told = await asyncio.to_thread(replica.process), time.monotonic()
        process.send_signal(signal.SIGURG)
        while not all(client.closed for client in clients) and time.monotonic() < told + 30:
            sent.append(await asyncio.to_thread(publish, topic, "x"))
            await asyncio.sleep(0.05)
        await asyncio.to_thread(
            wait_for, lambda: all(len(client.events) >= len(sent) for client in clients), "all events", 60
        )
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        assert await asyncio.to_thread(replica.process) == process
        assert {client.closed[0] for client in clients if client.closed} == {1012}
        assert all(client.events == sent and not client.lost for client in clients)
        return sorted(client.closed[1] - told for client in clients if client.closed)

    times = asyncio.run(story())
    assert times[CLIENTS // 4] > DRAIN_SECONDS / 8
    assert times[-1] > DRAIN_SECONDS / 2
    assert asyncio.run(_handshake(replica)) == 101


async def _handshake(replica: Replica) -> int:
    try:
        async with connect(replica.base_url.replace("http", "ws", 1) + "/ws", proxy=None):
            return 101
    except InvalidStatus as refusal:
        return refusal.response.status_code


def _listen(replica: Replica, topic: str, facts: dict[str, Any]) -> None:
    """A stream and a poll on the process that stops."""

    def poll() -> None:
        with http(replica) as client:  # type: ignore[arg-type]
            facts["poll"] = client.get("/ws/poll", params={"topic": f"{topic}-quiet"}, timeout=60)
            facts["polled"] = time.monotonic() - facts["told"]

    thread = threading.Thread(target=poll)
    thread.start()
    with http(replica) as client:  # type: ignore[arg-type]
        facts["stream"] = client.get("/ws/events", params={"topic": topic}, timeout=httpx.Timeout(60)).text
    thread.join()
