"""A way to a server on which answers get lost: what was asked is carried out, and the connection ends."""

from __future__ import annotations

import contextlib
import select
import socket
import threading
import time
from typing import Self

CHUNK = 65536
LATE_SECONDS = 0.5


class LosingRelay:
    """A TCP relay on a port of its own, that loses an answer when it is told to. `lost` counts them."""

    def __init__(self, port: int) -> None:
        self._target = ("127.0.0.1", port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._word: bytes | None = None
        self._late = False
        self.port: int = self._listener.getsockname()[1]
        self.lost = 0

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.close()

    def lose(self, word: bytes, *, late: bool = False) -> None:
        """The next answer to a question with `word` in it gets lost. `late`: the question is late."""
        self._late, self._word = late, word

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(near,), daemon=True).start()

    def _serve(self, near: socket.socket) -> None:
        with near, socket.create_connection(self._target) as far, contextlib.suppress(OSError):
            while True:
                for source in select.select([near, far], [], [])[0]:
                    if not (data := source.recv(CHUNK)):
                        return
                    if source is near and self._word is not None and self._word in data:
                        self._lose(near, far, data)
                        return
                    (far if source is near else near).sendall(data)

    def _lose(self, near: socket.socket, far: socket.socket, question: bytes) -> None:
        self._word = None
        if self._late:
            near.close()
            time.sleep(LATE_SECONDS)
        far.sendall(question)
        far.recv(CHUNK)
        self.lost += 1
