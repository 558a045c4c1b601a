"""The relay sends what the app could not, survives both servers, and ends when it is told to."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from corkboard import outbox
from tests.harness.clients import wait_for
from tests.harness.postgres_server import PostgresServer, postgres_missing
from tests.harness.redis_server import RedisServer
from tests.outbox import writers
from tests.outbox.conftest import Connect
from tests.outbox.events import data
from tests.outbox.test_sender import put
from tests.outbox.writers import waiting

COMMAND = [sys.executable, "-m", "corkboard", "relay"]
Start = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts a relay and waits until it has begun; its log goes to the file `log`."""
    started: list[subprocess.Popen[str]] = []
    log = tmp_path / "log"

    def start(*arguments: str) -> subprocess.Popen[str]:
        with log.open("a") as file:
            started.append(subprocess.Popen([*COMMAND, *arguments], stderr=file, text=True))
        wait_for(lambda: "waiting for events" in log.read_text(), "the relay has begun")
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.wait()


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Runs a relay until it ends by itself."""
    return subprocess.run(
        [*COMMAND, *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={**os.environ, **environment},
    )


def test_what_the_app_did_not_send_is_sent(
    start: Start, connect: Connect, redis: RedisServer, url: str
) -> None:
    connection = connect()
    put(connection, 1)
    start(url)
    wait_for(lambda: data(redis, "orders") == [1], "what was there when it started")
    put(connection, 2)
    wait_for(lambda: data(redis, "orders") == [1, 2], "what came later")
    wait_for(lambda: waiting(url) == 0, "the rows are deleted")


@pytest.mark.parametrize("driver", ["psycopg", "psycopg2"])
def test_postgresql_wakes_the_relay(
    start: Start, postgres_url: str, redis: RedisServer, tmp_path: Path, driver: str
) -> None:
    if driver == "psycopg2":
        # The relay takes psycopg where it is installed.
        (tmp_path / "sitecustomize.py").write_text("import sys\nsys.modules['psycopg'] = None\n")
        os.environ["PYTHONPATH"] = f"{tmp_path}:{Path(__file__).parents[2]}"
    try:
        start(postgres_url, "--poll", "60")
    finally:
        os.environ.pop("PYTHONPATH", None)
    with psycopg.connect(postgres_url, autocommit=True) as other, psycopg.connect(postgres_url) as connection:
        # Its first look into the table comes after LISTEN.
        looked = "SELECT 1 FROM pg_stat_activity WHERE query LIKE 'SELECT id, key%'"
        wait_for(lambda: other.execute(looked).fetchone(), "it listens")
        for first in range(0, 500, 100):
            # Some are added while it reads, of which its wait must not be the end.
            for number in range(first, first + 100):
                put(connection, number)
            wait_for(lambda: data(redis, "orders") == list(range(first + 100)), "woken", seconds=10)  # noqa: B023


def test_a_thousand_events_that_waited_come_in_order(connect: Connect, redis: RedisServer, url: str) -> None:
    put(connect(), *range(1000))
    assert run(url, "--once").returncode == 0
    assert data(redis, "orders") == list(range(1000))
    assert waiting(url) == 0


def test_several_relays_send_each_event_once(
    start: Start, connect: Connect, redis: RedisServer, url: str
) -> None:
    for _ in range(3):
        start(url, "--poll", "0.05")
    connection = connect()
    for number in range(50):
        put(connection, number)
    wait_for(lambda: waiting(url) == 0, "all are sent")
    assert data(redis, "orders") == list(range(50))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_cleanly(
    start: Start, redis: RedisServer, url: str, tmp_path: Path, number: int
) -> None:
    process = start(url, "--poll", "60")
    wait_for(lambda: data(redis, "orders") == [], "")
    process.send_signal(number)
    assert process.wait(10) == 0
    assert (tmp_path / "log").read_text().splitlines()[-1].endswith("INFO stopped")


def test_a_signal_ends_it_also_while_nothing_answers(
    start: Start, redis: RedisServer, sqlite_url: str
) -> None:
    redis.freeze()
    try:
        process = start(sqlite_url)
        process.terminate()
        assert process.wait(10) == 0
    finally:
        redis.thaw()


def test_it_starts_before_its_servers_and_survives_their_restarts(
    start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if reason := postgres_missing():
        pytest.skip(reason)
    with RedisServer() as redis, PostgresServer() as postgres:
        monkeypatch.setenv("CORKBOARD_ENV_FILE", str(redis.app_env))
        writers.prepare(postgres.url)
        with psycopg.connect(postgres.url) as connection:
            put(connection, 1)
        redis.kill()
        postgres.kill()
        start(postgres.url)
        log = tmp_path / "log"
        wait_for(lambda: "WARNING" in log.read_text(), "it says what is wrong")
        postgres.start()
        redis.start()
        wait_for(lambda: data(redis, "orders") == [1], "both are there")
        postgres.kill()
        postgres.start()
        with psycopg.connect(postgres.url) as connection:
            put(connection, 2)
        wait_for(lambda: data(redis, "orders") == [1, 2], "the database is there again")
        redis.kill()
        with psycopg.connect(postgres.url) as connection:
            put(connection, 3)
        redis.start()
        wait_for(lambda: data(redis, "orders") == [1, 2, 3], "Redis is there again")
        assert "works again" in log.read_text()
        assert "Traceback" not in log.read_text()


def test_once_fails_with_one_line_when_it_cannot_send(connect: Connect, redis: RedisServer, url: str) -> None:
    put(connect(), 1)
    result = run(url, "--once", CORKBOARD_URL="redis://127.0.0.1:1/0")
    assert result.returncode == 1
    assert len(result.stderr.splitlines()) == 1
    assert "ERROR StoreUnavailable" in result.stderr
    assert waiting(url) == 1
    assert data(redis, "orders") == []


@pytest.mark.usefixtures("redis")
def test_json_lines(connect: Connect, url: str) -> None:
    connect()
    result = run(url, "--once", "--json", "--table", "missing_table")
    assert result.returncode == 1
    (line,) = (json.loads(line) for line in result.stderr.splitlines())
    assert line["level"] == "error"
    assert "missing_table" in line["message"]


@pytest.mark.usefixtures("redis")
@pytest.mark.parametrize(
    ("arguments", "environment", "message"),
    [
        ([], {"DATABASE_URL": ""}, "expected postgresql://…, sqlite:///FILE or mysql://…"),
        (["oracle://x"], {}, "expected postgresql://…, sqlite:///FILE or mysql://…"),
        (["sqlite:///x", "--table", "a b"], {}, "'a b' is not a table's name"),
        (["sqlite:///x"], {"CORKBOARD_URL": "off"}, "CORKBOARD_URL is off"),
    ],
)
def test_a_wrong_call_is_refused_at_once(
    arguments: list[str], environment: dict[str, str], message: str
) -> None:
    result = run(*arguments, **environment)
    assert result.returncode == 2
    assert message in result.stderr
    assert len(result.stderr.splitlines()) == 1


@pytest.mark.usefixtures("redis")
def test_a_misspelled_file_does_not_become_a_database(tmp_path: Path) -> None:
    result = run(f"sqlite:///{tmp_path}/none.db", "--once")
    assert result.returncode == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("redis")
def test_the_address_may_come_from_the_environment(connect: Connect, url: str) -> None:
    put(connect(), 1)
    assert run("--once", DATABASE_URL=url).returncode == 0
    assert waiting(url) == 0


def test_the_printed_ddl_makes_the_table(url: str, connect: Connect) -> None:
    dialect = url.partition(":")[0]
    result = run("--ddl", dialect, "--table", "printed_outbox")
    connection: Any = connect()
    connection.cursor().execute(result.stdout)
    outbox.put(connection, "orders", "order.shipped", 1, table="printed_outbox")
    connection.rollback()


def test_idle_costs_next_to_nothing(start: Start, redis: RedisServer, url: str) -> None:
    process = start(url)
    time.sleep(1)
    before = redis.client().info("commandstats")
    time.sleep(2)
    after = redis.client().info("commandstats")
    asked = after["cmdstat_time"]["calls"] - before["cmdstat_time"]["calls"]
    assert 1 <= asked <= 5
    assert process.poll() is None
