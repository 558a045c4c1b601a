"""A real server with the deployment's users, and a process that is configured for it as an app is."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator

import pytest

from corkboard.store import use
from tests.harness.redis_server import RedisServer


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch: pytest.MonkeyPatch) -> None:
    """What other tests of the same process have set for the kit does not count here."""
    for name in [name for name in os.environ if name.startswith("CORKBOARD_")]:
        monkeypatch.delenv(name)
    use(None)


@pytest.fixture(scope="module")
def shared_server() -> Iterator[RedisServer]:
    """One server for a file of tests."""
    with RedisServer() as server:
        yield server


@pytest.fixture
def server(shared_server: RedisServer, monkeypatch: pytest.MonkeyPatch) -> RedisServer:
    """The server, which the kit finds by its app.env."""
    monkeypatch.setenv("CORKBOARD_ENV_FILE", str(shared_server.app_env))
    return shared_server


@pytest.fixture
def fragile_server(monkeypatch: pytest.MonkeyPatch) -> Iterator[RedisServer]:
    """A server for one test, which may kill it."""
    with RedisServer() as server:
        monkeypatch.setenv("CORKBOARD_ENV_FILE", str(server.app_env))
        yield server


@pytest.fixture
def topic() -> str:
    """A topic that nobody else uses."""
    return f"test:{secrets.token_hex(6)}"
