"""Small clients, and waiting for what a test expects."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, TypeVar
from urllib.parse import urlencode, urlsplit

import httpx
from websockets.sync.client import ClientConnection, connect

from tests.harness.stack import Site, Stack

T = TypeVar("T")

# Longer than a busy machine stands still; nobody waits so long for what works.
PATIENCE = 30.0
PAUSE = 0.05
# Longer than one of the app's processes refuses to ask Redis again after it got no answer.
CALM_SECONDS = 0.8


def wait_for(condition: Callable[[], T | None], what: str, seconds: float = PATIENCE) -> T:
    """Asks again and again until the answer is truthy, and returns it. A failing request counts as no.

    Raises:
        AssertionError: not within `seconds`; says what was waited for.
    """
    deadline = time.monotonic() + seconds
    while True:
        # Looked at before the last question, so that a machine that stands still does not take it away.
        begun = time.monotonic()
        error: Exception | None = None
        try:
            if answer := condition():
                return answer
        except (httpx.HTTPError, OSError) as failure:
            error = failure
        if begun > deadline:
            raise AssertionError(f"waited {seconds} s in vain: {what}") from error
        asleep = time.monotonic()
        time.sleep(PAUSE)
        # Time in which nothing ran here is not counted: nothing ran elsewhere either.
        deadline += max(0.0, time.monotonic() - asleep - 2 * PAUSE)


def http(stack: Site, timeout: float = PATIENCE, **options: Any) -> httpx.Client:
    """An HTTP client of the stack that no proxy setting of this machine leads astray."""
    return httpx.Client(base_url=stack.base_url, trust_env=False, timeout=timeout, **options)


@contextmanager
def frozen_redis(stack: Stack) -> Iterator[None]:
    """Redis does not answer, but keeps its connections; afterwards every process of the app has it again."""
    stack.parts.freeze("redis")
    try:
        yield
    finally:
        stack.parts.thaw("redis")

    with http(stack) as client:
        wait_for(lambda: client.get("/readyz").status_code == 200, "Redis to be back", 60)
    # That was one of the app's processes.
    time.sleep(CALM_SECONDS)


class Socket:
    """A WebSocket to the stack that speaks JSON."""

    def __init__(self, stack: Site, headers: dict[str, str] | None = None, **query: str) -> None:
        url = f"ws://{urlsplit(stack.base_url).netloc}/ws"
        if query:
            url += f"?{urlencode(query)}"
        self._exit = ExitStack()
        # It reads all the time: messages that nobody asked for would keep a goodbye waiting for ten seconds.
        unbounded = {"max_size": None, "max_queue": None}
        self.connection: ClientConnection = self._exit.enter_context(
            connect(url, additional_headers=headers, proxy=None, open_timeout=30, legacy=True, **unbounded)
        )

    def send(self, message: dict[str, Any]) -> None:
        """Sends one message."""
        self.connection.send(json.dumps(message))

    def receive(self, seconds: float = PATIENCE) -> dict[str, Any]:
        """The next message.

        Raises:
            TimeoutError: none came within `seconds`.
            websockets.ConnectionClosed: the connection ended.
        """
        message: dict[str, Any] = json.loads(self.connection.recv(seconds))
        return message

    def expect(self, op: str, seconds: float = PATIENCE) -> dict[str, Any]:
        """The next message of this kind; others, such as presence, are passed over.

        Raises:
            TimeoutError: none came within `seconds`.
        """
        deadline = time.monotonic() + seconds
        while True:
            message = self.receive(max(0.0, deadline - time.monotonic()))
            if message["op"] == op:
                return message

    def close(self) -> None:
        """Says goodbye and ends the connection."""
        self._exit.close()

    def __enter__(self) -> Socket:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def raw(stack: Site, request: bytes, seconds: float = PATIENCE) -> bytes:
    """Sends bytes as they are and returns what comes back until the server closes, or `seconds` pass."""
    address = urlsplit(stack.base_url)
    assert address.hostname
    assert address.port
    answer = b""
    with socket.create_connection((address.hostname, address.port), timeout=seconds) as connection:
        connection.sendall(request)
        try:
            while received := connection.recv(65536):
                answer += received
        except TimeoutError:
            pass
    return answer
