"""Writers and listeners for failovers, and what is counted of them."""

from __future__ import annotations

import asyncio
import json
import os
import random
import threading
import time
from dataclasses import dataclass, field
from typing import Any, Self, cast

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import WebSocketException

from corkboard import StoreUnavailable
from corkboard.settings import load
from corkboard.store import Store, use
from prove.replicas import Group, wait
from wsgi_app.notes import store as notes
from wsgi_app.notes.models import ListQuery, NewNote

WRITERS, LISTENERS = 4, 4
BOARDS = ("one", "two")
PAUSE_SECONDS = 0.05
ROOM = {"max_notes": 100_000, "max_boards": 100}


@dataclass
class Tally:
    """What was counted so far; `partitioned` is in seconds."""

    acknowledged: dict[str, str] = field(default_factory=dict)  # note id -> board
    refused: int = 0
    lost: int = 0
    doubled: int = 0
    deliveries: int = 0
    resyncs: int = 0
    divergent: int = 0
    wrong: list[str] = field(default_factory=list)
    meanings: dict[str, str] = field(default_factory=dict)  # id of an event -> what it says
    partitioned: float = 0.0

    def heard(self, event: dict[str, Any]) -> None:
        """Counts a delivery, and counts it as divergent if its id came before with other content."""
        self.deliveries += 1
        said = json.dumps([event["topic"], event["type"], event["data"]], sort_keys=True)
        if self.meanings.setdefault(event["id"], said) != said:
            self.divergent += 1


class Writer(threading.Thread):
    """Creates notes, each with a key, and repeats each with the same key until it is acknowledged."""

    def __init__(self, number: int, tally: Tally, ending: threading.Event) -> None:
        super().__init__(daemon=True)
        self._number, self._tally, self._ending = number, tally, ending

    def run(self) -> None:
        count = 0
        while not self._ending.is_set():
            count += 1
            board = random.choice(BOARDS)
            self._pin(board, f"{self._number}-{count}")
            time.sleep(PAUSE_SECONDS)

    def _pin(self, board: str, text: str) -> None:
        while not self._ending.is_set():
            try:
                answer = notes.create(
                    NewNote(text=text, board=board, color="plum"), **ROOM, idempotency_key=text, client="x"
                )
            except StoreUnavailable:
                self._tally.refused += 1
                time.sleep(0.05)
            else:
                self._tally.acknowledged[json.loads(answer)["id"]] = board
                return


def listed(board: str) -> tuple[str, dict[str, str]]:
    """The cursor that the list reflects, and the notes of a board as id -> JSON.

    Raises:
        StoreUnavailable: Redis does not answer.
    """
    while True:
        query = ListQuery(board=board, limit=200)
        found: dict[str, str] = {}
        first = page = notes.page(query)
        # Notes are only added here, so those that come meanwhile are on no later page.
        while _epoch(page) == _epoch(first):
            found |= {json.loads(note)["id"]: _plain(note) for note in page.notes}
            if page.next is None:
                return first.cursor, found
            page = notes.page(query.model_copy(update={"page": page.next}))


def _epoch(page: notes.Page) -> str:
    return page.cursor.partition("-")[0]


def _plain(note: bytes | dict[str, Any]) -> str:
    return json.dumps(note if isinstance(note, dict) else json.loads(note), sort_keys=True)


class Listener:
    """A client like the wall: fetches the list, follows the events, and fetches again after a lost gap."""

    def __init__(self, url: str, board: str, tally: Tally) -> None:
        self._url, self.board, self._tally = url, board, tally
        self.shown: dict[str, str] = {}
        self.cursor = ""
        self._list = True

    async def run(self) -> None:
        """Runs until it is cancelled."""
        while True:
            try:
                async with connect(self._url, proxy=None, open_timeout=10) as connection:
                    await self._follow(connection)
            except (OSError, WebSocketException, TimeoutError, StoreUnavailable):
                await asyncio.sleep(0.1)

    async def _follow(self, connection: ClientConnection) -> None:
        topic = f"board:{self.board}"
        while True:
            if self._list:
                self.cursor, self.shown = await asyncio.to_thread(listed, self.board)
                self._list = False
            await connection.send(json.dumps({"op": "subscribe", "topic": topic, "since": self.cursor}))
            while not self._list:
                self._take(json.loads(await connection.recv()))
            self._tally.resyncs += 1
            await connection.send(json.dumps({"op": "unsubscribe", "topic": topic}))

    def _take(self, message: dict[str, Any]) -> None:
        if message["op"] == "subscribed":
            self._list = not message["recovered"]
        elif message["op"] == "event":
            self._tally.heard(message)
            self._apply(message)

    def _apply(self, event: dict[str, Any]) -> None:
        self.cursor = event["id"]
        self.shown[event["data"]["id"]] = _plain(event["data"])


class Traffic:
    """Writers and listeners, which run inside `with`."""

    def __init__(self, group: Group, url: str, tally: Tally) -> None:
        os.environ["CORKBOARD_ENV_FILE"] = str(group.app_env)
        settings = load()
        use(Store(settings.url, functions=notes.FUNCTIONS, wait_replicas=settings.wait_replicas))
        self.listeners = [Listener(url, BOARDS[n % len(BOARDS)], tally) for n in range(LISTENERS)]
        self._tally = tally
        self._ending = threading.Event()
        self._writers: list[Writer] = []
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        for listener in self.listeners:
            asyncio.run_coroutine_threadsafe(listener.run(), self._loop)
        self.resume()
        return self

    def __exit__(self, *_: object) -> None:
        self.pause()
        asyncio.run_coroutine_threadsafe(_end_all(), self._loop).result(30)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        use(None)

    def resume(self) -> None:
        """Starts the writers."""
        self._ending.clear()
        self._writers = [Writer(random.getrandbits(32), self._tally, self._ending) for _ in range(WRITERS)]
        for writer in self._writers:
            writer.start()

    def pause(self) -> None:
        """Stops the writers, and waits until they have ended."""
        self._ending.set()
        for writer in self._writers:
            writer.join(30)

    def answers(self) -> None:
        """Returns after some more answers to writes, whatever they are.

        Raises:
            TimeoutError: there were too few within a minute.
        """
        tally = self._tally
        before = len(tally.acknowledged) + tally.refused
        wait(lambda: len(tally.acknowledged) + tally.refused > before + 2 * WRITERS, "answers")

    def progress(self) -> None:
        """Returns when some more writes were acknowledged.

        Raises:
            TimeoutError: there were too few within a minute.
        """
        before = len(self._tally.acknowledged)
        wait(lambda: len(self._tally.acknowledged) > before + 2 * WRITERS, "writes")


async def _end_all() -> None:
    tasks = asyncio.all_tasks() - {cast("asyncio.Task[Any]", asyncio.current_task())}
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
