"""Traffic on a running stack, with its verdict.

with Traffic("http://localhost:8080") as traffic:
    traffic.steady()
    traffic.begin()
    ...  # the fault
    traffic.calm()
    verdict = traffic.check()
"""

from __future__ import annotations

import asyncio
import json
import random
import threading
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, Self, TypeVar

import httpx

from prove.desks import App, Demo, Failed
from prove.listening import Events, Listener
from prove.sockets import SocketListener
from prove.streams import PollListener, StreamListener
from prove.verdict import Verdict, Written, listened, stood_still, stored
from prove.writing import Writing

T = TypeVar("T")

REQUEST_SECONDS = 10.0
# Longer than a listener may take to notice that its path is dead, and to come back.
CATCH_UP_SECONDS = 75.0
LAG_SECONDS = 0.02
CALM_SECONDS = 3.0
QUIET_SECONDS = 1.5
SHAKE_SECONDS = 0.2


@dataclass(frozen=True)
class Load:
    """How much of what: listeners of each kind, and requests per second."""

    sockets: int = 200
    streams: int = 3
    polls: int = 3
    keyed: float = 20
    plain: float = 5
    reads: float = 10


class Traffic:
    """Writers, readers and listeners in one thread with a loop of its own, from `__enter__` on.

    Args:
        base_url: of the stack.
        load: how much.
        own_app: an app of the user's own stands behind the stack: the kit publishes, as its settings say.
    """

    def __init__(self, base_url: str, load: Load | None = None, own_app: bool = False) -> None:
        self.base_url = base_url.rstrip("/")
        self._load = load or Load()
        self._own_app = own_app
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._lag = 0.0
        self._stored: dict[str, str] = {}

    def __enter__(self) -> Self:
        self._thread.start()
        try:
            self._run(self._start())
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def topic(self) -> str:
        """The topic that is written to: the writers' own. Empty before they begin."""
        return self._desk.topic if hasattr(self, "_desk") else ""

    def begin(self) -> None:
        """From now on silences and failures count: call it right before the fault."""
        self._run(self._begin())

    def steady(self, events: int = 20, seconds: float = 60) -> bool:
        """Waits until each listener received so many more events; whether all did within `seconds`."""
        begun = {listener: listener.received for listener in self._listeners}
        return self._wait(
            lambda: all(one.received >= begun[one] + events for one in self._listeners), seconds
        )

    def calm(self, seconds: float = 90, least: float = CALM_SECONDS) -> bool:
        """Waits until nobody notices anything any more: every listener is connected and hears events, and no
        request fails, for a while.

        Args:
            seconds: at most.
            least: since `begin`, and calm for so long.

        Returns:
            Whether that came to be.
        """
        rough = time.monotonic()

        def is_calm() -> bool:
            nonlocal rough
            now = time.monotonic()
            heard = all(one.connected and one.silent_for() < QUIET_SECONDS for one in self._listeners)
            failed = any(at > rough for at, _ in self._writing.failures[-1:])
            if failed or not heard:
                rough = now
            return now - max(rough, self._started) > least

        return self._wait(is_calm, seconds)

    def shake(self, seconds: float) -> None:
        """Cuts the sockets' connections at random, each about twice, as phones lose their network."""
        for _ in range(round(seconds / SHAKE_SECONDS)):
            share = 2 * SHAKE_SECONDS / seconds
            victims = [each for each in self._listeners if random.random() < share]
            self._run(_drop(victims))
            time.sleep(SHAKE_SECONDS)

    def writes(self) -> dict[str, str]:
        """Those of this window: the text of each that was acknowledged, and its id."""
        return dict(self._writing.acknowledged)

    def write(self, text: str) -> str:
        """Writes once more, by the way; the id."""
        return self._run(self._patiently(lambda: self._desk.write(text, None)))

    def position(self) -> str:
        """Where the topic is now."""
        return self._run(self._patiently(self._desk.position))

    def come_back(self, since: str) -> tuple[bool, int]:
        """Listens from a cursor on; whether nothing was lost on the way, and the number of events."""
        found = self._run(self._replay(since, self.position()))
        return not found.ledger.lost, len(found.events)

    def check(self) -> Verdict:
        """Stops writing, lets the listeners catch up, compares, and goes on writing in a new window."""
        return self._run(self._check())

    def close(self) -> None:
        """Ends everything."""
        if self._thread.is_alive():
            self._run(self._stop())
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
        self._loop.close()

    def _run(self, doing: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(doing, self._loop).result()

    def _wait(self, condition: Callable[[], bool], seconds: float) -> bool:
        deadline = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > deadline:
                return False
            time.sleep(0.05)
        return True

    async def _start(self) -> None:
        load = self._load
        limits = httpx.Limits(max_connections=None, max_keepalive_connections=40)
        self._client, self._streams = (
            httpx.AsyncClient(
                base_url=self.base_url, timeout=REQUEST_SECONDS, trust_env=False, limits=limits, http2=False
            )
            for _ in range(2)
        )
        self._desk = App(self._client) if self._own_app else Demo(self._client)
        topic, ticket = self._desk.topic, self._desk.ticket
        self._events = Events()
        self._listeners: list[SocketListener | StreamListener | PollListener] = [
            *(SocketListener(self.base_url, topic, ticket, self._events) for _ in range(load.sockets)),
            *(StreamListener(self._streams, topic, ticket, self._events) for _ in range(load.streams)),
            *(PollListener(self._streams, topic, ticket, self._events) for _ in range(load.polls)),
        ]
        self._writing = Writing(self._desk, load.keyed, load.plain, load.reads)
        self._lagging = asyncio.create_task(self._measure_lag())
        # A topic that nobody wrote to has no epoch yet.
        await self._patiently(lambda: self._desk.write("prove begins", None))
        for listener in self._listeners:
            listener.open()
            await asyncio.sleep(0.002)
        await self._until(lambda: all(listener.connected for listener in self._listeners), CATCH_UP_SECONDS)
        self._begun_at = await self._patiently(self._desk.position)
        self._writing.start()
        await self._begin(anew=True)
        self._writing.on.set()

    async def _begin(self, anew: bool = False) -> None:
        self._started = time.monotonic()
        self._lag = 0.0
        if anew:
            self._writing.begin()
            self._events.forget()
        self._writing.failures.clear()
        for listener in self._listeners:
            listener.begin(anew)

    async def _check(self) -> Verdict:
        writing, verdict = self._writing, Verdict(lag=self._lag)
        stood_still(verdict, self._listeners, (at for at, _ in writing.failures), self._started)
        connected = all(listener.connected for listener in self._listeners)
        await writing.settle()
        # What failed only now belongs to it, too.
        late = [at - self._started for at, _ in writing.failures]
        verdict.back_after = max([verdict.back_after or 0.0, *late])
        end = await self._patiently(self._desk.position)
        caught_up = await self._until(
            lambda: all(not one.ledger.missing(end) for one in self._listeners), CATCH_UP_SECONDS
        )
        events = [self._desk.entry(event) for event in (await self._replay(self._begun_at, end)).events]
        notes = await self._patiently(lambda: self._desk.stored(len(events)))
        stored(verdict, Written(writing.acknowledged, writing.attempted, events, notes, self._stored))
        listened(verdict, self._listeners, end)
        verdict.divergent += len(self._events.differing) + len(writing.differing)
        verdict.failed, verdict.requests = writing.failed(), writing.requests
        if not (connected and caught_up):
            verdict.back_after = None
        self._stored |= {text: name for name, text in events}
        self._begun_at = end
        await self._begin(anew=True)
        writing.on.set()
        return verdict

    async def _replay(self, since: str, end: str) -> _Replay:
        replay = _Replay(self.base_url, self._desk.topic, self._desk.ticket, since)
        replay.open()
        try:
            await self._until(lambda: not replay.ledger.missing(end), CATCH_UP_SECONDS)
        finally:
            replay.close()
        return replay

    async def _patiently(self, ask: Callable[[], Coroutine[Any, Any, T]]) -> T:
        deadline = time.monotonic() + CATCH_UP_SECONDS
        while True:
            try:
                return await ask()
            except Failed:
                if time.monotonic() > deadline:
                    raise
                await asyncio.sleep(0.2)

    async def _until(self, condition: Callable[[], bool], seconds: float) -> bool:
        deadline = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > deadline:
                return False
            await asyncio.sleep(0.02)
        return True

    async def _measure_lag(self) -> None:
        while True:
            begun = time.monotonic()
            await asyncio.sleep(LAG_SECONDS)
            self._lag = max(self._lag, time.monotonic() - begun - LAG_SECONDS)

    async def _stop(self) -> None:
        if hasattr(self, "_writing"):
            await self._writing.stop()
            self._lagging.cancel()
            for listener in self._listeners:
                listener.close()
        await asyncio.sleep(0.05)
        await self._client.aclose()
        await self._streams.aclose()


async def _drop(listeners: list[SocketListener | StreamListener | PollListener]) -> None:
    for listener in listeners:
        if isinstance(listener, SocketListener):
            listener.drop()


class _Replay(SocketListener):
    """Reads what is stored: everything after a position."""

    def __init__(self, base_url: str, topic: str, ticket: str, since: str) -> None:
        super().__init__(base_url, topic, ticket, Events())
        self.ledger.subscribed(since, recovered=True)
        self.events: list[dict[str, Any]] = []

    def heard(self, id: str, event: bytes) -> None:  # noqa: A002
        """Keeps the event."""
        super().heard(id, event)
        self.events.append(json.loads(event))


__all__ = ["Listener", "Load", "Traffic", "Verdict"]
