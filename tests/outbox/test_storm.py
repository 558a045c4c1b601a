"""Whatever is killed, and whenever: each committed transaction is one event, and they come in order."""

from __future__ import annotations

import multiprocessing
import os
import random
import signal
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from corkboard.outbox import sender
from tests.harness.clients import wait_for
from tests.harness.postgres_server import MEMORY, PostgresServer, postgres_missing
from tests.harness.redis_server import RedisServer
from tests.outbox import writers
from tests.outbox.events import data
from tests.outbox.relays import relay

KILLS = 100
PATIENCE = 120.0
# So that keys are forgotten, and frozen senders are too late, many times within the test.
FRESH_SECONDS, DELETED_SECONDS = 0.5, 1
FROZEN_SECONDS = 1.5
# The first relay's place; before it are the writers.
RELAY = 4
KINDS = {
    "sqlite": ["plainly", "plainly", "with_sqlalchemy", "with_django"],
    "postgresql": ["plainly", "with_psycopg2", "with_sqlalchemy", "with_django"],
}

processes = multiprocessing.get_context("forkserver")
processes.set_forkserver_preload(["tests.outbox.writers", "tests.outbox.relays", "django.db"])


def _write(kind: str, url: str, folder: Path, settings: dict[str, str]) -> None:
    _begin(settings)
    writers.write(kind, url, folder / "failures")


def _relay(url: str, folder: Path, settings: dict[str, str]) -> None:
    _begin(settings)
    relay(url, folder)


def _begin(settings: dict[str, str]) -> None:
    # It is a fork of a process that was there before them.
    os.environ.update(settings)
    sender.FRESH_SECONDS, sender.DELETED_SECONDS = FRESH_SECONDS, DELETED_SECONDS
    # Hundreds of refusals in a row would show nothing more.
    sender.AWAY_SECONDS = 0.2


class Storm:
    """Four writers and two relays, on servers that are killed, too."""

    def __init__(self, url: str, folder: Path, settings: dict[str, str]) -> None:
        self.url, self.folder = url, folder
        self.crew: list[multiprocessing.process.BaseProcess] = []
        kinds = KINDS[url.partition(":")[0]]
        self.roles: list[tuple[Callable[..., None], tuple[object, ...]]] = [
            *((_write, (kind, url, folder, settings)) for kind in kinds),
            *[(_relay, (url, folder, settings))] * 2,
        ]
        self.frozen: dict[int, float] = {}

    def start(self) -> None:
        """Starts all."""
        self.crew = [self._started(role) for role in range(len(self.roles))]

    def kill(self, role: int, *, again: bool = True) -> None:
        """kill -9, and another one takes its place."""
        process = self.crew[role]
        process.kill()
        process.join()
        self.frozen.pop(role, None)
        if again:
            self.crew[role] = self._started(role)

    def freeze(self, role: int) -> None:
        """Stands still in the middle of whatever it does."""
        if role not in self.frozen:
            os.kill(self.crew[role].pid or 0, signal.SIGSTOP)
            self.frozen[role] = time.monotonic() + FROZEN_SECONDS

    def thaw(self) -> None:
        """Those whose time has come go on."""
        for role, until in list(self.frozen.items()):
            if time.monotonic() > until:
                os.kill(self.crew[role].pid or 0, signal.SIGCONT)
                del self.frozen[role]

    def stop(self) -> None:
        """Ends all."""
        for role in range(len(self.crew)):
            self.kill(role, again=False)

    def _started(self, role: int) -> multiprocessing.process.BaseProcess:
        target, arguments = self.roles[role]
        process = processes.Process(target=target, args=arguments, daemon=True)
        process.start()
        return process


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest) -> Iterator[tuple[str, PostgresServer | None]]:
    """A database's URL, and its server when it has one."""
    if request.param == "sqlite":
        with tempfile.TemporaryDirectory(prefix="corkboard-test-", dir=MEMORY) as folder:
            yield f"sqlite:///{folder}/app.db", None
    elif reason := postgres_missing():
        pytest.skip(reason)
    else:
        with PostgresServer() as server:
            yield server.url, server


def test_no_event_is_lost_doubled_or_out_of_order_whatever_is_killed(
    database: tuple[str, PostgresServer | None], tmp_path: Path
) -> None:
    url, postgres = database
    with ExitStack() as stack:
        redis = stack.enter_context(RedisServer())
        writers.prepare(url)
        settings = {"CORKBOARD_ENV_FILE": str(redis.app_env), "CORKBOARD_HISTORY_LENGTH": "1000000"}
        storm = Storm(url, tmp_path, settings)
        stack.callback(storm.stop)
        storm.start()
        seed = random.randrange(1_000_000)
        chance = random.Random(seed)
        for kill in range(KILLS):
            time.sleep(chance.uniform(0, 0.3))
            storm.thaw()
            if chance.random() < 0.3:
                # A writer keeps its locks meanwhile, in SQLite that of the whole database.
                storm.freeze(chance.choice((0, RELAY, RELAY + 1) if postgres else (RELAY, RELAY + 1)))
            if postgres and kill % 20 == 10:
                postgres.kill()
                postgres.start()
            elif chance.random() < 0.2:
                redis.kill()
                time.sleep(chance.uniform(0, 0.2))
                redis.start()
            else:
                storm.kill(chance.randrange(len(storm.roles)))
        wait_for(
            lambda: min(writers.numbers(url).values()) > KILLS, "enough has been written to say anything"
        )
        for role in range(RELAY):
            storm.kill(role, again=False)
        for role in list(storm.frozen):
            storm.kill(role)
        wait_for(lambda: writers.waiting(url) == 0, "the relays send the rest", PATIENCE)
        expected = writers.numbers(url)
        found = {topic: [each["number"] for each in data(redis, topic)] for topic in writers.TOPICS}
    failures = tmp_path / "failures"
    assert not failures.exists(), failures.read_text()
    for topic, seen in found.items():
        wrong = [(at, number) for at, number in enumerate(seen, 1) if at != number][:20]
        assert not wrong, f"seed {seed}, topic {topic}: expected 1, 2, 3 …, found (place, number) {wrong}"
        assert len(seen) == expected[topic], f"seed {seed}, topic {topic}: the last ones are missing"
