"""The browser's client in Node, as a process whose every callback is seen."""

from __future__ import annotations

import json
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.harness.clients import wait_for
from tests.harness.node import NODE

SCRIPT = Path(__file__).with_name("listen.js")


class Listening:
    """What the client has heard, in order: the name of a callback and its arguments."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.heard: list[list[Any]] = []
        self._process = process

    def read(self) -> None:
        """Until the process ends."""
        for line in self._process.stdout or ():
            self.heard.append(json.loads(line))

    def of(self, name: str) -> list[list[Any]]:
        """The arguments of all calls of one callback."""
        return [what[1:] for what in self.heard if what[0] == name]

    def wait(self, *what: Any) -> None:
        """Waits until a callback was called with just these arguments."""
        wait_for(lambda: [*what] in self.heard, f"{what} among {self.heard}")

    def is_running(self) -> bool:
        """Whether nothing has ended it."""
        return self._process.poll() is None


@contextmanager
def listening(**options: Any) -> Iterator[Listening]:
    """A client with these options, see listen.js."""
    process = subprocess.Popen(
        [NODE, str(SCRIPT), json.dumps(options)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True
    )
    client = Listening(process)
    reader = threading.Thread(target=client.read)
    reader.start()
    try:
        yield client
    finally:
        process.kill()
        process.wait()
        reader.join()
