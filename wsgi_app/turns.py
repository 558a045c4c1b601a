"""What takes long must not take every thread."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager


class Busy(Exception):
    """As many requests of this kind as may be are being served."""


class Turns:
    """Requests of one kind: `places` of them may hold a thread of this process, and `at_once` of these go on.

    The others wait for their turn. When all places are taken, a further request is refused.
    """

    def __init__(self, places: int, at_once: int) -> None:
        self._places = threading.Semaphore(max(1, places))
        self._turns = threading.Semaphore(max(1, at_once))

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Waits for a turn, and has it until the block ends.

        Raises:
            Busy: all places are taken.
        """
        if not self._places.acquire(blocking=False):
            raise Busy
        try:
            with self._turns:
                yield
        finally:
            self._places.release()
