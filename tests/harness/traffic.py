"""Somebody who writes notes and somebody who listens, both for as long as a test lets them."""

from __future__ import annotations

import threading
from typing import Any

import httpx
from websockets.exceptions import InvalidHandshake, WebSocketException

from tests.harness.clients import Socket, http
from tests.harness.stack import Stack


class Writer(threading.Thread):
    """Posts notes until it is told to stop; remembers which were acknowledged."""

    def __init__(self, stack: Stack, board: str) -> None:
        super().__init__(daemon=True)
        self.acknowledged: list[str] = []
        self.refused: list[int] = []
        self._stack = stack
        self._board = board
        self._halt = threading.Event()

    def run(self) -> None:
        number = 0
        with http(self._stack, timeout=10) as client:
            while not self._halt.is_set():
                number += 1
                body = {"board": self._board, "text": f"note {number}"}
                try:
                    answer = client.post("/api/notes", json=body)
                except httpx.HTTPError:
                    continue
                if answer.status_code == 201:
                    self.acknowledged.append(answer.json()["id"])
                else:
                    self.refused.append(answer.status_code)
                    self._halt.wait(0.02)

    def finish(self) -> None:
        self._halt.set()
        self.join(20)


class Listener(threading.Thread):
    """Listens to one topic and comes back with the last id whenever it is cut."""

    def __init__(self, stack: Stack, topic: str) -> None:
        super().__init__(daemon=True)
        self.events: list[dict[str, Any]] = []
        self.lost = 0
        self.begun = threading.Event()
        self._stack = stack
        self._topic = topic
        self._halt = threading.Event()

    def run(self) -> None:
        last = "0-0"
        while not self._halt.is_set():
            try:
                with Socket(self._stack, topic=self._topic, since=last) as socket:
                    while not self._halt.is_set():
                        try:
                            message = socket.receive(0.5)
                        except TimeoutError:
                            continue
                        if message["op"] == "subscribed":
                            self.begun.set()
                            self.lost += not message["recovered"]
                        elif message["op"] == "event":
                            self.events.append(message)
                            last = message["id"]
            except (OSError, InvalidHandshake, WebSocketException):
                self._halt.wait(0.1)

    def finish(self) -> None:
        self._halt.set()
        self.join(20)


def notes_of(stack: Stack, board: str) -> list[str]:
    """The ids of all notes of a board, oldest first."""
    ids: list[str] = []
    page = ""
    with http(stack) as client:
        while True:
            answer = client.get("/api/notes", params={"board": board, "limit": "200", "page": page}).json()
            ids += [note["id"] for note in answer["notes"]]
            page = answer["next"]
            if page is None:
                return ids[::-1]
