"""Small clients, and waiting for what a test expects."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any, TypeVar
from urllib.parse import urlencode, urlsplit

import httpx
from websockets.sync.client import ClientConnection, connect

from tests.harness.stack import Stack

T = TypeVar("T")


def wait_for(condition: Callable[[], T | None], what: str, seconds: float = 10.0) -> T:
    """Asks again and again until the answer is truthy, and returns it. A failing request counts as no.

    Raises:
        AssertionError: not within `seconds`; says what was waited for.
    """
    deadline = time.monotonic() + seconds
    while True:
        error: Exception | None = None
        try:
            if answer := condition():
                return answer
        except (httpx.HTTPError, OSError) as failure:
            error = failure
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {seconds} s in vain: {what}") from error
        time.sleep(0.05)


def http(stack: Stack, **options: Any) -> httpx.Client:
    """An HTTP client of the stack that no proxy setting of this machine leads astray."""
    return httpx.Client(base_url=stack.base_url, trust_env=False, timeout=10, **options)


class Socket:
    """A WebSocket to the stack that speaks JSON."""

    def __init__(self, stack: Stack, headers: dict[str, str] | None = None, **query: str) -> None:
        url = f"ws://{urlsplit(stack.base_url).netloc}/ws"
        if query:
            url += f"?{urlencode(query)}"
        self._exit = ExitStack()
        self.connection: ClientConnection = self._exit.enter_context(
            connect(url, additional_headers=headers, proxy=None, open_timeout=10, max_size=None, legacy=True)
        )

    def send(self, message: dict[str, Any]) -> None:
        """Sends one message."""
        self.connection.send(json.dumps(message))

    def receive(self, seconds: float = 10) -> dict[str, Any]:
        """The next message.

        Raises:
            TimeoutError: none came within `seconds`.
            websockets.ConnectionClosed: the connection ended.
        """
        message: dict[str, Any] = json.loads(self.connection.recv(seconds))
        return message

    def expect(self, op: str, seconds: float = 10) -> dict[str, Any]:
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


def raw(stack: Stack, request: bytes, seconds: float = 5) -> bytes:
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
