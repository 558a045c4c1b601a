"""A stack as it comes, a normal visitor, and addresses that attackers come from."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from asgi_app import limits
from tests.harness.clients import http, wait_for
from tests.harness.local import LocalStack
from tests.harness.memory import given_back, memory
from tests.harness.sidecar import Publisher
from tests.harness.visitor import Visitor

# The visitor comes from 127.0.0.1.
ATTACKER = "127.0.0.2"


@pytest.fixture(scope="session")
def stack() -> Iterator[LocalStack]:
    """A deployment with the limits that it has by default. After all attacks it is as large as before."""
    with LocalStack({"RATE_LIMIT": "100"}) as stack:
        _warm_up(stack)
        before = memory(stack)
        yield stack
        # What is stored is Redis' to keep. A topic that was left stays for a minute, with its last events.
        small = {name: size for name, size in before.items() if name != "redis"}
        wait_for_memory(stack, small, limits.LINGER_SECONDS + 40)


@pytest.fixture(scope="session")
def publish(stack: LocalStack) -> Publisher:
    """Publishes as an app does."""
    return Publisher(stack.state.app_env)


@pytest.fixture
def visitor(stack: LocalStack) -> Iterator[Visitor]:
    """Somebody who looks at a board and writes to it, from another address than the attackers."""
    with Visitor(stack) as visitor:
        yield visitor


@pytest.fixture
def remembers(stack: LocalStack, visitor: Visitor) -> Iterator[None]:  # noqa: ARG001  (its memory counts)
    """Checks that every process gives back what an attack took."""
    before = memory(stack)
    yield
    wait_for_memory(stack, before)


def _warm_up(stack: LocalStack) -> None:
    # A process whose threads have done nothing yet is smaller.
    def read(_: int) -> None:
        with http(stack) as client:
            for _again in range(100):
                client.get("/api/notes", params={"board": "warm"})

    with Visitor(stack) as visitor, ThreadPoolExecutor(16) as readers:
        list(readers.map(read, range(16)))
        visitor.watch(2)


def wait_for_memory(stack: LocalStack, before: dict[str, float], seconds: float = 20) -> None:
    """Waits until the processes are as large as before, or almost.

    Raises:
        AssertionError: they stay larger.
    """
    try:
        wait_for(lambda: given_back(before, memory(stack)), "the memory to be given back", seconds)
    except AssertionError as error:
        raise AssertionError(f"not given back: before {before}, after {memory(stack)}") from error
