"""The same tests on local processes and on real containers."""

from __future__ import annotations

import secrets
from collections.abc import Iterator

import httpx
import pytest

from tests.harness.clients import http
from tests.harness.redis_server import RedisServer
from tests.harness.stack import Stack


@pytest.fixture(scope="session", params=["local", "compose"])
def stack(request: pytest.FixtureRequest) -> Stack:
    """A running deployment."""
    running: Stack = request.getfixturevalue(f"{request.param}_stack")
    return running


@pytest.fixture
def client(stack: Stack) -> Iterator[httpx.Client]:
    """An HTTP client of the deployment."""
    with http(stack) as client:
        yield client


@pytest.fixture
def board() -> str:
    """A board that nobody else uses."""
    return f"test-{secrets.token_hex(6)}"


@pytest.fixture(scope="module")
def server() -> Iterator[RedisServer]:
    """A Redis of this file's own."""
    with RedisServer() as running:
        yield running
