"""A way to a server on which answers get lost: what was asked is carried out, and the connection ends."""

from __future__ import annotations

import socket
import time
from typing import Self

from prove.relay import CHUNK, Relay

LATE_SECONDS = 0.5


class LosingRelay(Relay):
    """A relay that loses an answer when it is told to. `lost` counts them."""

    def __init__(self, port: int) -> None:
        self._word: bytes | None = None
        self._late = False
        self.lost = 0
        super().__init__(port)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def lose(self, word: bytes, *, late: bool = False) -> None:
        """The next answer to a question with `word` in it gets lost. `late`: the question is late."""
        self._late, self._word = late, word

    def carry(self, near: socket.socket, far: socket.socket, data: bytes, *, asked: bool) -> bool:
        """As of Relay; a question whose answer gets lost is the connection's last one."""
        if asked and self._word is not None and self._word in data:
            self._lose(near, far, data)
            return False
        return super().carry(near, far, data, asked=asked)

    def _lose(self, near: socket.socket, far: socket.socket, question: bytes) -> None:
        self._word = None
        if self._late:
            near.close()
            time.sleep(LATE_SECONDS)
        far.sendall(question)
        far.recv(CHUNK)
        self.lost += 1
