"""A normal visitor beside an attack: six sockets, five posts a second, a new socket every second.

It runs as a process of its own (`python -m tests.harness.visitor URL BOARD`), so that an attack that keeps
the test's process busy does not slow down the clock. Each line on stdin asks for a report of what happened
since the last one.
"""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import subprocess
import sys
import threading
import time
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from typing import Any, Self
from urllib.parse import urlsplit

import httpx
from websockets.asyncio.client import connect
from websockets.exceptions import WebSocketException

from local.settings import ROOT
from tests.harness.clients import wait_for
from tests.harness.stack import Stack

SOCKETS = 6
POSTS_PER_SECOND = 5
# What a person takes for at once, and what nobody would call it. In between the machine decides, which tests
# share: alone on two cores the visitor's p99 is under 0.1 s.
CALM_SECONDS = 0.25
LATE_SECONDS = 3.0
TIMES_IDLE = 5
CROWDED_LOAD = 2  # processes that want to run, per core


@dataclass
class Report:
    """What the visitor saw. Seconds; an event that has not come yet counts with the time that it is late."""

    delays: list[float] = field(default_factory=list)  # from the post to each socket
    opened: list[float] = field(default_factory=list)  # from the handshake to the first word, on a new topic
    posts: int = 0
    failed: list[str] = field(default_factory=list)  # requests and first subscribes
    closed: list[str] = field(default_factory=list)  # sockets that were open

    @property
    def p50(self) -> float:
        """The median delay."""
        return _percentile(self.delays, 0.5)

    @property
    def p99(self) -> float:
        """The delay that one event of a hundred exceeds."""
        return _percentile(self.delays, 0.99)

    def __str__(self) -> str:
        return (
            f"{self.posts} posts, {len(self.delays)} events: "
            f"p50 {self.p50 * 1000:.0f} ms, p99 {self.p99 * 1000:.0f} ms; "
            f"{len(self.opened)} new sockets: worst {max(self.opened, default=0) * 1000:.0f} ms; "
            f"failed {len(self.failed)} {self.failed[:3]}; closed {len(self.closed)} {self.closed[:3]}"
        )

    def undisturbed(self, idle: Report) -> None:
        """Checks that the visitor noticed nothing, compared with `idle`, what it saw before.

        Raises:
            AssertionError: it did; with both reports.
        """
        both = f"\nbefore: {idle}\nduring: {self}"
        print(both)
        assert self.posts, f"the visitor got nowhere{both}"
        assert not self.failed, f"requests failed{both}"
        assert not self.closed, f"sockets were closed{both}"
        # Where others work, too, a delay says less: then only what nobody would call usable is too late.
        crowded = os.getloadavg()[0] > CROWDED_LOAD * (os.cpu_count() or 1)
        allowed = LATE_SECONDS if crowded else min(LATE_SECONDS / 2, max(CALM_SECONDS, TIMES_IDLE * idle.p99))
        assert self.p99 <= allowed, f"events came late: more than {allowed * 1000:.0f} ms{both}"


def _percentile(values: list[float], share: float) -> float:
    return sorted(values)[int(share * (len(values) - 1))] if values else 0.0


class Visitor:
    """The running visitor, seen from the test."""

    def __init__(self, stack: Stack) -> None:
        self.board = f"visitor-{secrets.token_hex(6)}"
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.harness.visitor", stack.base_url, self.board],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._read()  # until it is there
        # The first ones warm everything up.
        wait_for(lambda: self.report().delays, "the visitor's first events")

    def report(self) -> Report:
        """What it saw since the last report."""
        assert self._process.stdin
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        return self._read()

    def watch(self, seconds: float) -> Report:
        """What it sees in the next seconds."""
        self.report()
        time.sleep(seconds)
        return self.report()

    def _read(self) -> Report:
        assert self._process.stdout
        line = self._process.stdout.readline()
        assert line, "the visitor is dead"
        return Report(**json.loads(line))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()


class _Visit:
    def __init__(self, base_url: str, board: str) -> None:
        self._base_url = base_url
        self._sockets = f"ws://{urlsplit(base_url).netloc}/ws"
        self._board = board
        self._report = Report()
        self._due: list[dict[str, float]] = [{} for _ in range(SOCKETS)]  # text -> when it was posted
        self._ready = [asyncio.Event() for _ in range(SOCKETS)]

    async def run(self, asked: asyncio.Queue[None]) -> None:
        async with asyncio.TaskGroup() as group:
            for number in range(SOCKETS):
                group.create_task(self._listen(number))
            for ready in self._ready:
                await ready.wait()
            group.create_task(self._write())
            group.create_task(self._come_anew())
            self._tell()
            while True:
                await asked.get()
                self._tell()

    def _tell(self) -> None:
        now = time.monotonic()
        report, self._report = self._report, Report()
        report.delays += [now - begun for due in self._due for begun in due.values()]
        print(json.dumps(asdict(report)), flush=True)

    async def _listen(self, number: int) -> None:
        query = f"?topic=board:{self._board}"
        while True:
            try:
                async with connect(self._sockets + query, proxy=None, open_timeout=10) as socket:
                    async for text in socket:
                        message: dict[str, Any] = json.loads(text)
                        if message["op"] == "subscribed":
                            query = f"?topic=board:{self._board}&since={message['cursor']}"
                            self._ready[number].set()
                        elif message["op"] == "event":
                            query = f"?topic=board:{self._board}&since={message['id']}"
                            begun = self._due[number].pop(message["data"]["text"], None)
                            if begun is not None:
                                self._report.delays.append(time.monotonic() - begun)
                self._report.closed.append(f"{socket.close_code} {socket.close_reason}")
            except (OSError, TimeoutError, WebSocketException) as error:
                self._report.failed.append(repr(error))
            await asyncio.sleep(0.2)

    async def _write(self) -> None:
        async with (
            httpx.AsyncClient(base_url=self._base_url, trust_env=False, timeout=10) as client,
            asyncio.TaskGroup() as group,
        ):
            while True:
                group.create_task(self._post(client))
                await asyncio.sleep(1 / POSTS_PER_SECOND)

    async def _post(self, client: httpx.AsyncClient) -> None:
        text = secrets.token_hex(8)
        now = time.monotonic()
        for due in self._due:
            due[text] = now
        self._report.posts += 1
        try:
            answer = await client.post("/api/notes", json={"board": self._board, "text": text})
            answer.raise_for_status()
        except httpx.HTTPError as error:
            for due in self._due:
                due.pop(text, None)
            self._report.failed.append(repr(error))

    async def _come_anew(self) -> None:
        while True:
            await asyncio.sleep(1)
            begun = time.monotonic()
            url = f"{self._sockets}?topic=board:new-{secrets.token_hex(6)}"
            try:
                async with connect(url, proxy=None, open_timeout=10) as socket, asyncio.timeout(10):
                    await socket.recv()
            except (OSError, TimeoutError, WebSocketException) as error:
                self._report.failed.append(repr(error))
            else:
                self._report.opened.append(time.monotonic() - begun)


async def _main(base_url: str, board: str) -> None:
    asked: asyncio.Queue[None] = asyncio.Queue()
    loop = asyncio.get_running_loop()

    def listen() -> None:
        for _ in sys.stdin:
            loop.call_soon_threadsafe(asked.put_nowait, None)

    threading.Thread(target=listen, daemon=True).start()
    await _Visit(base_url, board).run(asked)


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        asyncio.run(_main(*sys.argv[1:]))
