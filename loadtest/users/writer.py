"""A user who creates, changes and removes notes."""

from __future__ import annotations

import random
from typing import Any
from uuid import uuid4

from locust import FastHttpUser, between, task

from loadtest import options, report_lines, target
from loadtest.delivery import fan_out
from loadtest.users import api

MOST_NOTES = 5


class Writer(FastHttpUser):
    """About two writes per second."""

    weight = 2
    wait_time = between(0.0, 1.0)

    def on_start(self) -> None:
        """Chooses a room."""
        self.room = options.random_room(self.environment)
        self.notes: list[dict[str, Any]] = []
        self.unanswered: tuple[target.Request, str] | None = None

    def on_stop(self) -> None:
        """Removes its notes, also one whose creation was cut short: a repeat with its key returns it."""
        if self.unanswered and (note := self._send(*self.unanswered, fan_out.new_id())):
            self.notes.append(note)
        while self.notes:
            self._remove()

    @task
    def write(self) -> None:
        """Half of all writes are new notes."""
        if random.random() < 0.5 and len(self.notes) < MOST_NOTES:
            self._create()
        elif self.notes and random.random() < 0.5:
            self._change()
        elif self.notes:
            self._remove()
        else:
            self._create()

    def _create(self) -> None:
        request, key, request_id = target.creating(self.room), str(uuid4()), fan_out.new_id()
        self.unanswered = request, key
        note = self._send(request, key, request_id)
        self.unanswered = None
        if note is None:
            return
        self.notes.append(note)
        for _ in range(fan_out.answered(request_id)):
            options.record(self.environment, report_lines.AFTER_ANSWER, 0)
        if random.random() < 0.02:
            # A client that did not receive the answer repeats the request, and must get the same answer.
            with api.ask(self.client, request, Idempotency_Key=key) as answer:
                if api.succeeded(answer) and answer.json() != note:
                    answer.failure("a repeat with the same Idempotency-Key was answered differently")

    def _send(self, request: target.Request, key: str, request_id: str) -> dict[str, Any] | None:
        with api.ask(self.client, request, Idempotency_Key=key, X_Request_Id=request_id) as answer:
            if api.succeeded(answer):
                note: dict[str, Any] = answer.json()
                return note
        return None

    def _change(self) -> None:
        index = random.randrange(len(self.notes))
        with api.ask(self.client, target.changing(self.notes[index])) as answer:
            if api.succeeded(answer):
                self.notes[index] = answer.json()

    def _remove(self) -> None:
        with api.ask(self.client, target.removing(self.notes.pop(0))) as answer:
            api.succeeded(answer)
