"""A Redis that is restarted or replaced is waited for: nobody is refused, and nothing is lost or doubled."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Self

import httpx
import pytest
from websockets.exceptions import InvalidHandshake, WebSocketException

from prove.traffic import Load, Traffic
from tests.harness.api import events
from tests.harness.clients import Socket, http
from tests.harness.compose import ComposeStack
from tests.harness.stack import Stack

LOAD = Load(sockets=30, streams=2, polls=2, keyed=10, plain=5, reads=10)
# A machine that is busy enough may keep Redis away for longer than the app waits.
TRIES = 3
CHANGES = 3


class Changer(threading.Thread):
    """Writes a note, changes it, deletes it, and again; remembers what was refused, and counts."""

    def __init__(self, stack: Stack, board: str) -> None:
        super().__init__(daemon=True)
        self.refused: list[str] = []
        self.done = 0
        self._stack = stack
        self._board = board
        self._halt = threading.Event()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._halt.set()
        self.join(60)

    def run(self) -> None:
        with http(self._stack, timeout=10) as client:
            while not self._halt.is_set() and self._one_note(client):
                self.done += 1

    def _one_note(self, client: httpx.Client) -> bool:
        path = "/api/notes"
        note = self._ask(client, "POST", path, {"board": self._board, "text": "a note"})
        for number in range(CHANGES):
            self._ask(client, "PATCH", f"{path}/{note.get('id')}", {"text": f"change {number}"})
        last = self._ask(client, "DELETE", f"{path}/{note.get('id')}")
        if not self.refused and last["version"] != 1 + CHANGES:
            self.refused.append(f"carried out twice: {last}")
        return not self.refused

    def _ask(self, client: httpx.Client, method: str, path: str, body: object = None) -> dict[str, str | int]:
        answer = client.request(method, path, json=body)
        if answer.status_code not in (200, 201):
            self.refused.append(f"{method}: {answer.status_code}")
        found: dict[str, str | int] = answer.json()
        return found


class Newcomers(threading.Thread):
    """Comes, is told where the topic is, and leaves, again and again."""

    def __init__(self, stack: Stack, board: str) -> None:
        super().__init__(daemon=True)
        self.refused: list[str] = []
        self._stack = stack
        self._topic = f"board:{board}"
        self._halt = threading.Event()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._halt.set()
        self.join(60)

    def run(self) -> None:
        while not self._halt.wait(0.05):
            try:
                with Socket(self._stack, topic=self._topic) as socket:
                    socket.expect("subscribed")
            except (OSError, InvalidHandshake, WebSocketException) as error:
                self.refused.append(repr(error))


def ways(stack: Stack) -> list[Callable[[], object]]:
    """How an operator restarts Redis."""
    found: list[Callable[[], object]] = [lambda: stack.recreate("redis")]
    if isinstance(stack, ComposeStack):
        found.append(lambda: stack.compose("restart", "redis"))
    return found


def test_a_restart_of_redis_refuses_nobody_and_loses_nothing(stack: Stack, board: str) -> None:
    with Traffic(stack.base_url, LOAD) as traffic:
        assert traffic.steady()
        for number, restart in enumerate(ways(stack)):
            for attempt in range(TRIES):
                own = f"{board}-{number}-{attempt}"
                traffic.begin()
                with Changer(stack, own) as changer, Newcomers(stack, f"{own}-new") as newcomers:
                    restart()
                    assert traffic.calm()
                verdict = traffic.check()
                assert verdict.holds, verdict
                if not (verdict.failed or verdict.refused or changer.refused or newcomers.refused):
                    assert len(events(stack, own)) == changer.done * (2 + CHANGES)
                    break
            else:
                pytest.fail(f"{verdict}; changes: {changer.refused}; newcomers: {newcomers.refused}")
