"""What the clients of one address may use of this process: the same share of everything as of the sockets."""

from __future__ import annotations

import asyncio
import time

from asgi_app import limits, metrics
from asgi_app.settings import Settings


class Crowded(Exception):
    """The process, or the client's address, uses all that it may. It is worth coming back."""


class TooManyTopics(Exception):
    """The client's address listens to as many topics of its own as it may."""


class Rate:
    """So much per second, and as much again at once after a quiet second."""

    __slots__ = ("_free", "_per_second")

    def __init__(self, per_second: float) -> None:
        self._per_second = per_second
        self._free = 0.0  # when all that was taken so far is paid for, time.monotonic()

    def take(self, amount: float) -> float:
        """Takes it, and returns for how many seconds the taker must wait. Who takes next waits longer."""
        now = time.monotonic()
        self._free = max(self._free, now - 1) + amount / self._per_second
        return max(0.0, self._free - now)

    def take_if_free(self, amount: float) -> bool:
        """Takes it, unless the taker would have to wait."""
        if self.take(0):
            return False
        self.take(amount)
        return True

    @property
    def idle(self) -> bool:
        """Whether nothing was taken that is still to be paid for."""
        return self._free < time.monotonic() - 1


class Allowance:
    """One address. It outlives its connections until what they used is paid for."""

    __slots__ = (
        "_all_replays",
        "_introductions",
        "_most_people",
        "_most_topics",
        "_replayed",
        "_replays",
        "frames",
        "people",
        "sockets",
        "topics",
        "whispers",
    )

    def __init__(self, share: float, sockets: int, all_replays: asyncio.Semaphore) -> None:
        self.sockets = 0
        self.topics = 0  # that began with this address
        self.people = 0  # times that its clients say who they are, once for each topic
        self.frames = Rate(share * limits.ALL_FRAMES_PER_SECOND)
        self.whispers = Rate(share * limits.ALL_WHISPERS_PER_SECOND)
        self._most_topics = limits.TOPICS_PER_SOCKET * sockets
        self._most_people = limits.TOPICS_PER_SOCKET * sockets
        self._introductions = Rate(share * limits.ALL_INTRODUCTIONS_PER_SECOND)
        self._replayed = Rate(share * limits.REPLAYED_BYTES_PER_SECOND)
        self._replays = asyncio.Semaphore(max(1, int(share * limits.REPLAYS)))
        self._all_replays = all_replays

    @property
    def idle(self) -> bool:
        """Whether it can be forgotten."""
        rates = (self.frames, self.whispers, self._introductions, self._replayed)
        held = self.sockets or self.topics or self.people
        return not held and all(rate.idle for rate in rates)

    def check_topics(self) -> None:
        """Whether one topic more may begin with this address.

        Raises:
            TooManyTopics: it may not.
        """
        if self.topics >= self._most_topics:
            metrics.limited.labels("topics").inc()
            raise TooManyTopics

    def begin_introduction(self) -> bool:
        """Counts one more who says who it is, unless there are too many, or too many a second."""
        if self.people >= self._most_people or not self._introductions.take_if_free(1):
            metrics.limited.labels("people").inc()
            return False
        self.people += 1
        return True

    def end_introduction(self) -> None:
        """Ends a `begin_introduction` that counted one."""
        self.people -= 1

    async def begin_replay(self) -> None:
        """Waits for a turn to send one step of a replay.

        Raises:
            Crowded: there was none in time.
        """
        if not (self._replays.locked() or self._all_replays.locked() or self._replayed.take(0)):
            # Nobody to wait for, so neither waits: a crowd that comes back pays for no timer.
            await self._replays.acquire()
            await self._all_replays.acquire()
            return
        try:
            async with asyncio.timeout(limits.REPLAY_WAIT_SECONDS):
                # The address first: while it waits for itself it takes no turn from others.
                await self._replays.acquire()
                try:
                    if (wait := self._replayed.take(0)) > 0:
                        await asyncio.sleep(wait)
                    await self._all_replays.acquire()
                except BaseException:
                    self._replays.release()
                    raise
        except TimeoutError:
            metrics.limited.labels("replays").inc()
            raise Crowded from None

    def end_replay(self, size: int) -> None:
        """Ends a turn in which `size` bytes were sent."""
        self._replayed.take(size)
        self._all_replays.release()
        self._replays.release()


class Allowances:
    """All addresses that this process knows of at the moment."""

    def __init__(self, settings: Settings) -> None:
        self._share = min(1.0, settings.max_sockets_per_client / settings.max_sockets)
        self._sockets = settings.max_sockets_per_client
        self._replays = asyncio.Semaphore(limits.REPLAYS)
        self._known: dict[str, Allowance] = {}

    def of(self, address: str) -> Allowance:
        """That of one address."""
        found = self._known.get(address)
        if found is None:
            found = self._known[address] = Allowance(self._share, self._sockets, self._replays)
        return found

    async def keep_few(self) -> None:
        """Forgets the addresses that are gone and owe nothing, now and then, until it is cancelled."""
        while True:
            await asyncio.sleep(limits.TRIM_SECONDS)
            self._known = {address: one for address, one in self._known.items() if not one.idle}
