"""`python -m prove.failover`: failovers of Redis, with partitions before them, under writes and listeners.

It starts its own servers, Sentinels and sidecar. It fails if an event gets the id of another one, or if a
client shows something else than what is stored. It counts writes that were acknowledged and are lost.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Self, cast

import httpx
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import WebSocketException

from corkboard import StoreUnavailable
from corkboard.settings import load
from corkboard.store import Store, use
from local.settings import ROOT
from prove.replicas import Group, Node, free_port, wait
from wsgi_app.notes import store as notes
from wsgi_app.notes.models import ListQuery, NewNote

WRITERS, LISTENERS = 4, 4
BOARDS = ("one", "two")
PAUSE_SECONDS = 0.05
LONGEST_PARTITION = 0.5
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
        self._url, self._board, self._tally = url, board, tally
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
        topic = f"board:{self._board}"
        while True:
            if self._list:
                self.cursor, self.shown = await asyncio.to_thread(listed, self._board)
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


@contextmanager
def sidecar(group: Group) -> Iterator[str]:
    """Runs a sidecar that follows the group's master; yields its WebSocket address.

    Raises:
        TimeoutError: it is not ready within a minute.
    """
    port = free_port()
    environment = {
        "PATH": os.environ["PATH"],
        "REDIS_URL": f"redis+sentinel://{group.sentinels}",
        "REDIS_PASSWORD_FILE": str(group.folder / "asgi" / "redis_password"),
        "SECRET_KEY": "k" * 32,
        "ASGI_HOST": "127.0.0.1",
        "ASGI_PORT": str(port),
        "DRAIN_SECONDS": "0",
        "LOG_LEVEL": "error",
    }
    process = subprocess.Popen([sys.executable, "-m", "asgi_app"], cwd=ROOT, env=environment)
    try:
        with httpx.Client(trust_env=False) as client:
            wait(lambda: _ready(client, port), "the sidecar")
        yield f"ws://127.0.0.1:{port}/ws"
    finally:
        process.terminate()
        process.wait(30)


def _ready(client: httpx.Client, port: int) -> bool:
    try:
        return client.get(f"http://127.0.0.1:{port}/ws/readyz").status_code == 200
    except httpx.HTTPError:
        return False


class Traffic:
    """Writers and listeners, which run inside `with`."""

    def __init__(self, group: Group, url: str, tally: Tally) -> None:
        os.environ["CORKBOARD_ENV_FILE"] = str(group.app_env)
        use(Store(load().url, functions=notes.FUNCTIONS, wait_replicas=load().wait_replicas))
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


def one_round(group: Group, traffic: Traffic, tally: Tally, quick: bool = False) -> None:
    """Cuts the replica off for a while, kills or freezes the master, waits for the failover, and compares.

    `quick`: the master is always killed, and is started again as a replica.

    Raises:
        TimeoutError: a step of the failover took over a minute.
    """
    traffic.progress()
    master = group.master()
    partition = random.choice(
        [0.0, random.uniform(0, LONGEST_PARTITION), random.uniform(0, LONGEST_PARTITION)]
    )
    tally.partitioned += partition
    if partition:
        master.way.partition()
        time.sleep(partition)
    revive = _end(master, group, quick)
    wait(lambda: group.master() is not master, "another master")
    # Any answers: with WAIT_REPLICAS=1 nothing is acknowledged before the old master is back.
    traffic.answers()
    master.way.mend()
    revive()
    group.settle()
    traffic.progress()
    traffic.pause()
    compare(traffic, tally)
    traffic.resume()


def _end(master: Node, group: Group, quick: bool) -> Callable[[], None]:
    if quick or random.random() < 0.5:
        master.kill()
        # If it starts as a master, Sentinels take ten seconds to make it a replica.
        return (lambda: master.start(group.master())) if quick else master.start
    master.freeze()
    return master.thaw


def compare(traffic: Traffic, tally: Tally) -> None:
    """Compares what is stored with what was acknowledged, and with what each client shows."""
    stored = {board: listed(board) for board in BOARDS}
    for note, board in list(tally.acknowledged.items()):
        if note not in stored[board][1]:
            tally.lost += 1
            del tally.acknowledged[note]
    for board in BOARDS:
        texts = [json.loads(note)["text"] for note in stored[board][1].values()]
        tally.doubled += len(texts) - len(set(texts))
    for listener in traffic.listeners:
        try:
            wait(lambda shown=listener: _agrees(shown, stored), "a client")  # type: ignore[misc]
        except TimeoutError:
            tally.wrong.append(f"a client of {listener._board} at {listener.cursor} shows something else")


def _agrees(listener: Listener, stored: dict[str, tuple[str, dict[str, str]]]) -> bool:
    return listener.shown == stored[listener._board][1]


def prove(
    rounds: int, wait_replicas: int, say: Callable[[str], None] = lambda _: None, quick: bool = False
) -> Tally:
    """Runs `rounds` failovers one after the other; `say` gets a line after each.

    Args:
        wait_replicas: WAIT_REPLICAS of the writers, 0 or 1.
        quick: as for `one_round`.

    Raises:
        TimeoutError: a step of a failover took over a minute.
    """
    tally = Tally()
    with Group(wait_replicas) as group, sidecar(group) as url, Traffic(group, url, tally) as traffic:
        for number in range(1, rounds + 1):
            one_round(group, traffic, tally, quick)
            say(f"round {number}: {summary(tally)}")
    return tally


def summary(tally: Tally) -> str:
    """The counts as one line."""
    return (
        f"{len(tally.acknowledged) + tally.lost} acknowledged, {tally.lost} of them lost, "
        f"{tally.doubled} doubled, {tally.refused} refused; "
        f"{tally.deliveries} deliveries, {tally.divergent} divergent; "
        f"{tally.resyncs} lists fetched again, {len(tally.wrong)} wrong; {tally.partitioned:.1f} s cut off"
    )


def main() -> int:
    """The exit code: 0 if nothing diverged and, with `--wait`, nothing was lost or doubled; else 1."""
    parser = argparse.ArgumentParser(prog="python -m prove.failover", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--wait", type=int, default=0, help="WAIT_REPLICAS of the app: 0 or 1")
    arguments = parser.parse_args()
    tally = prove(arguments.rounds, arguments.wait, lambda line: print(line, flush=True))
    for line in tally.wrong:
        print(line)
    return 1 if tally.divergent or tally.wrong or (arguments.wait and (tally.lost or tally.doubled)) else 0


if __name__ == "__main__":
    sys.exit(main())
