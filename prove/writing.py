"""Writers that repeat what has a key until it is acknowledged, writers that do not, and readers."""

from __future__ import annotations

import asyncio
import random
import secrets
import time
from collections import Counter
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any

from prove.desks import Desk, Failed

# So many requests may wait for an answer; more would be a test of the generator.
AT_ONCE = 200
RETRY_SECONDS = (0.2, 0.6)
# After so long a keyed write is given up.
PATIENCE_SECONDS = 60.0
# For the last requests.
LAST_SECONDS = 5.0
# One in so many keyed writes is sent again after it was acknowledged.
REPEAT_EVERY = 10


class Writing:
    """Sends steadily while it is `on`, and keeps account.

    Args:
        keyed, plain, reads: requests per second.
    """

    def __init__(self, desk: Desk, keyed: float, plain: float, reads: float) -> None:
        self.on = asyncio.Event()
        self._desk = desk
        self._run = secrets.token_hex(3)
        self._number = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._rates: dict[Callable[[], Coroutine[Any, Any, None]], float] = {
            self._keyed: keyed,
            self._plain: plain,
            self._read: reads,
        }
        self._loops: list[asyncio.Task[None]] = []
        self.attempted: set[str] = set()  # ever
        self.begin()

    def begin(self) -> None:
        """Starts a new window."""
        self.acknowledged: dict[str, str] = {}  # text -> id
        self.differing: set[str] = set()  # repeats that were answered otherwise
        self.failures: list[tuple[float, str]] = []
        self.requests = 0

    def start(self) -> None:
        """Begins to send, as soon as it is `on`."""
        self._loops = [
            asyncio.create_task(self._steadily(send, rate)) for send, rate in self._rates.items() if rate
        ]

    async def stop(self) -> None:
        """Ends everything; what is on its way may arrive."""
        self.on.clear()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=LAST_SECONDS)
        for task in (*self._loops, *self._tasks):
            task.cancel()

    async def settle(self) -> None:
        """Sends nothing new, and waits for what is on its way."""
        self.on.clear()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=PATIENCE_SECONDS + 15)

    def failed(self) -> Counter[str]:
        """How requests failed, and how often."""
        return Counter(how for _, how in self.failures)

    async def _steadily(self, send: Any, rate: float) -> None:
        due = time.monotonic()
        while True:
            await self.on.wait()
            due = max(due + 1 / rate, time.monotonic() - 0.2)
            await asyncio.sleep(due - time.monotonic())
            if self.on.is_set() and len(self._tasks) < AT_ONCE:
                task = asyncio.create_task(send())
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)

    async def _keyed(self) -> None:
        text, key = self._text(), secrets.token_hex(12)
        given_up = time.monotonic() + PATIENCE_SECONDS
        while not await self._write(text, key):
            if time.monotonic() > given_up:
                return
            await asyncio.sleep(random.uniform(*RETRY_SECONDS))
        if self._number % REPEAT_EVERY == 0:
            with suppress(Failed):
                if await self._count(self._desk.write(text, key)) != self.acknowledged[text]:
                    self.differing.add(text)

    async def _plain(self) -> None:
        await self._write(self._text(), None)

    async def _read(self) -> None:
        with suppress(Failed):
            await self._count(self._desk.read())

    def _text(self) -> str:
        self._number += 1
        return f"prove {self._run} {self._number}"

    async def _write(self, text: str, key: str | None) -> bool:
        self.attempted.add(text)
        try:
            self.acknowledged[text] = await self._count(self._desk.write(text, key))
        except Failed:
            return False
        return True

    async def _count(self, asking: Coroutine[Any, Any, Any]) -> Any:
        self.requests += 1
        try:
            return await asking
        except Failed as failure:
            self.failures.append((time.monotonic(), str(failure)))
            raise
