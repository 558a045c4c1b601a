"""What one listener received and how long it heard nothing, whatever way it listens. No I/O."""

from __future__ import annotations

import json
import random
import time
from collections import Counter

from loadtest.delivery import Ledger

# As realtime.js comes back: after a random delay between zero and a bound that doubles with each failure.
BACKOFF_SECONDS, BACKOFF_MOST_SECONDS = 0.5, 20.0
# A connection that lived this long was a good one: the next failure is the first again.
GOOD_AFTER_SECONDS = 5.0
# With twenty events a second, a listener that hears nothing for so long was cut off.
NOTICED_SECONDS = 0.5


class Events:
    """Every event that anybody received, by id: all listeners must receive the same."""

    def __init__(self) -> None:
        self.differing: set[str] = set()
        self._first: dict[str, bytes] = {}

    def compare(self, id: str, event: bytes) -> None:  # noqa: A002  (the field's own name)
        """Notes an event as a listener received it."""
        first = self._first.setdefault(id, event)
        # Over HTTP an event may be written otherwise.
        if first != event and json.loads(first) != json.loads(event):
            self.differing.add(id)

    def forget(self) -> None:
        """Starts anew."""
        self._first.clear()
        self.differing.clear()


class Listener:
    """One listener's account. The transports call `subscribed`, `heard`, `refused` and `cut`."""

    kind = ""

    def __init__(self, events: Events) -> None:
        self.ledger = Ledger()
        self.connected = False
        self._events = events
        self._failures = 0
        self._good_since = 0.0
        self.received = self.doubled = 0
        self.begin()

    def begin(self, anew: bool = True) -> None:
        """Counts silences, cuts and refusals from now on; with `anew` also what was received."""
        self.cuts = 0
        self.refusals: Counter[str] = Counter()
        self.silences: list[tuple[float, float]] = []
        self._heard_at = time.monotonic()
        if anew:
            self.received = self.doubled = self.ledger.lost = 0

    def subscribed(self, cursor: str, recovered: bool) -> None:
        """The server said where the subscription begins."""
        self.connected = True
        self._good_since = time.monotonic()
        self.ledger.subscribed(cursor, recovered)

    def heard(self, id: str, event: bytes) -> None:  # noqa: A002
        """An event arrived."""
        now = time.monotonic()
        self._note_silence(now)
        self._heard_at = now
        self.received += 1
        self.doubled += self.ledger.take(id) != "new"
        self._events.compare(id, event)

    def refused(self, answer: str) -> None:
        """The server, or nobody, answered a handshake."""
        self.refusals[answer] += 1
        self._failures += 1

    def cut(self) -> None:
        """An open connection ended."""
        if self.connected:
            self.cuts += 1
            good = time.monotonic() - self._good_since > GOOD_AFTER_SECONDS
            self._failures = 0 if good else self._failures + 1
        self.connected = False

    def pause(self) -> float:
        """Seconds until it comes back."""
        return random.uniform(0, min(BACKOFF_MOST_SECONDS, BACKOFF_SECONDS * 2**self._failures))

    def end(self) -> None:
        """The window ends: a silence that lasts is one."""
        self._note_silence(time.monotonic())

    def silent_for(self) -> float:
        """Seconds since the last event."""
        return time.monotonic() - self._heard_at

    def _note_silence(self, now: float) -> None:
        if now - self._heard_at > NOTICED_SECONDS:
            self.silences.append((self._heard_at, now))
