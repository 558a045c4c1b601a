"""A bare Redis and a database for each test, both live."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from corkboard import store
from corkboard.outbox import sender
from corkboard.testing import published
from tests.harness.postgres_server import PostgresServer, postgres_missing
from tests.harness.redis_server import RedisServer
from tests.outbox import writers

Connect = Callable[[], Any]


@pytest.fixture(scope="session")
def redis_server() -> Iterator[RedisServer]:
    """One for all tests."""
    with RedisServer() as server:
        yield server


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """One for all tests."""
    if reason := postgres_missing():
        pytest.skip(reason)
    with PostgresServer() as server:
        yield server


@pytest.fixture
def redis(redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch) -> RedisServer:
    """Empty, and the one that the kit talks to."""
    redis_server.client().flushall()
    monkeypatch.setenv("CORKBOARD_ENV_FILE", str(redis_server.app_env))
    # What an earlier test has done to Redis is over.
    monkeypatch.setattr(sender, "_away_until", 0.0)
    monkeypatch.setattr(sender, "_gone", deque())
    monkeypatch.setattr(store, "_default", None)
    return redis_server


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    """A SQLite database with an outbox."""
    return _prepared(f"sqlite:///{tmp_path}/app.db")


@pytest.fixture
def postgres_url(postgres_server: PostgresServer) -> str:
    """A PostgreSQL database with an outbox."""
    connection = writers.connect(postgres_server.url)
    connection.execute("DROP SCHEMA public CASCADE")
    connection.execute("CREATE SCHEMA public")
    connection.commit()
    connection.close()
    return _prepared(postgres_server.url)


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest) -> str:
    """One of each."""
    fixture = {"sqlite": "sqlite_url", "postgresql": "postgres_url"}[request.param]
    found: str = request.getfixturevalue(fixture)
    return found


@pytest.fixture
def connect(url: str) -> Iterator[Connect]:
    """Makes plain connections to it."""
    made: list[Any] = []

    def connect() -> Any:
        made.append(writers.connect(url))
        if url.startswith("sqlite:"):
            made[-1].isolation_level = ""  # begins by itself, as sqlite3 does when it is not told otherwise
        return made[-1]

    yield connect
    for connection in made:
        connection.close()


def _prepared(url: str) -> str:
    writers.prepare(url)
    return url


# Found by itself where the kit is installed.
__all__ = ["published"]
