"""Which events listeners have received, compared with those they should have. No I/O."""

from __future__ import annotations

import secrets
import time
from collections import OrderedDict
from functools import cached_property
from typing import Literal

Taken = Literal["new", "duplicate", "out of order"]


class Ledger:
    """One listener's account of one topic: it must receive every offset once and in order."""

    def __init__(self) -> None:
        self.lost = 0  # offsets that were skipped; one that comes later also counts as out of order
        self._epoch = ""
        self._offset = 0
        self._passed_over: set[int] = set()

    @property
    def cursor(self) -> str | None:
        """The position to resume from; None before the first subscription."""
        return f"{self._epoch}-{self._offset}" if self._epoch else None

    def subscribed(self, cursor: str, recovered: bool) -> None:
        """Notes where the server says that the subscription begins."""
        epoch, offset = _parse(cursor)
        if self._epoch in ("", "0") and recovered:
            self._epoch, self._offset = epoch, offset
        elif not recovered or epoch != self._epoch:
            # The number of missing events is only known within one epoch.
            self.lost += max(1, offset - self._offset) if epoch == self._epoch else 1
            self._epoch, self._offset = epoch, offset
        elif offset > self._offset:
            self._pass_over(offset)

    def take(self, id: str) -> Taken:  # noqa: A002  (the field's own name)
        """Notes an event that was received."""
        epoch, offset = _parse(id)
        if epoch != self._epoch and self._epoch != "0":
            self.lost += 1
            self._epoch, self._offset = epoch, offset
            return "new"
        self._epoch = epoch
        if offset <= self._offset:
            if offset not in self._passed_over:
                return "duplicate"
            self._passed_over.discard(offset)
            return "out of order"
        self._pass_over(offset - 1)
        self._offset = offset
        return "new"

    def missing(self, position: str) -> int:
        """The number of events up to `position` that have not been received yet."""
        epoch, offset = _parse(position)
        if epoch != self._epoch:
            return 0 if offset == 0 else offset if self._epoch == "0" else 1
        return max(0, offset - self._offset)

    def _pass_over(self, offset: int) -> None:
        missing = range(self._offset + 1, offset + 1)
        self.lost += len(missing)
        self._passed_over.update(missing)
        self._offset = offset


class FanOut:
    """The time from a write's answer to its event, between the writers and listeners of one process.

    One clock measures both ends. Users are spread evenly, so the pairs of one process stand for all pairs.
    """

    KEPT = 20_000

    def __init__(self) -> None:
        self._answered: OrderedDict[str, float] = OrderedDict()
        self._early: OrderedDict[str, int] = OrderedDict()

    @cached_property
    def _prefix(self) -> str:
        return f"load-{secrets.token_hex(6)}-"

    def new_id(self) -> str:
        """An X-Request-Id for a write."""
        return self._prefix + secrets.token_hex(6)

    def answered(self, request_id: str) -> int:
        """Notes that a write was answered now. Returns how many listeners had received its event before."""
        self._answered[request_id] = time.perf_counter()
        if len(self._answered) > self.KEPT:
            self._answered.popitem(last=False)
        return self._early.pop(request_id, 0)

    def received(self, request_id: str) -> float | None:
        """Milliseconds since the write was answered; None if it was not yet, or another process wrote."""
        if (at := self._answered.get(request_id)) is not None:
            return (time.perf_counter() - at) * 1000
        if request_id.startswith(self._prefix):
            self._early[request_id] = self._early.get(request_id, 0) + 1
            if len(self._early) > self.KEPT:
                self._early.popitem(last=False)
        return None


def _parse(cursor: str) -> tuple[str, int]:
    epoch, _, offset = cursor.rpartition("-")
    return epoch, int(offset)


fan_out = FanOut()
