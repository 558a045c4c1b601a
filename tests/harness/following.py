"""A thread that follows topics with one of the kit's clients, and keeps what it gets."""

from __future__ import annotations

import asyncio
import threading
from typing import Any, Literal

from corkboard.client import Event, Lost, Timing, connect, listen
from corkboard.client.core import Topics
from tests.harness.clients import wait_for

Kind = Literal["sync", "async"]
# So that a test need not wait as long as a client in earnest does.
QUICK = Timing(ping_every=1, answer_within=2, open_within=5, backoff_base=0.2, backoff_cap=1)


class Follower(threading.Thread):
    """Follows from `with` on; the block begins when the server has confirmed all topics.

    Attributes:
        items: what came, in this order.
        error: what ended it.
    """

    def __init__(self, kind: Kind, url: str, topics: Topics, **options: Any) -> None:
        super().__init__(daemon=True)
        self.items: list[Event | Lost] = []
        self.error: BaseException | None = None
        self.begun = threading.Event()
        self._kind = kind
        make = connect if kind == "async" else listen
        self._stream: Any = make(url, topics, **{"timing": QUICK, **options})
        self._loop = asyncio.new_event_loop()

    def run(self) -> None:
        try:
            if self._kind == "async":
                self._task = self._loop.create_task(self._follow())
                self._loop.run_until_complete(self._task)
                return
            with self._stream as stream:
                self.begun.set()
                for item in stream:
                    self.items.append(item)
        except asyncio.CancelledError:
            pass
        except Exception as error:
            self.error = error

    async def _follow(self) -> None:
        async with self._stream as stream:
            self.begun.set()
            async for item in stream:
                self.items.append(item)

    def finish(self) -> None:
        """Ends it, wherever it is."""
        if self._kind == "sync":
            self._stream.close()
        elif self.is_alive():
            self._loop.call_soon_threadsafe(self._task.cancel)
        self.join(20)
        assert not self.is_alive()
        self._loop.close()

    def ids(self) -> list[str]:
        """Of the events that came."""
        return [item.id for item in self.items if isinstance(item, Event)]

    def expect(self, ids: list[str]) -> None:
        """Waits until as many events are there, and compares."""
        wait_for(lambda: self.error or len(self.ids()) >= len(ids), f"{len(ids)} events", 90)
        assert self.error is None
        assert self.ids() == ids

    def refusal(self) -> str:
        """Waits until it has ended by itself; the reason in words."""
        wait_for(lambda: not self.is_alive(), "the end of the stream")
        return str(self.error)

    def __enter__(self) -> Follower:
        self.start()
        wait_for(lambda: self.begun.is_set() or not self.is_alive(), "the beginning of the stream")
        return self

    def __exit__(self, *_: object) -> None:
        self.finish()
