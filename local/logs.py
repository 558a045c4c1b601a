"""The services' logs, one after the other and then as they grow, each line with its service's name."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

COLOURS = (36, 32, 33, 35, 34, 31)
PAUSE = 0.2
# What is shown of each log before following.
EARLIER_BYTES = 4096


@dataclass
class _Followed:
    path: Path
    prefix: str
    inode: int = 0
    position: int = 0
    rest: bytes = b""

    def lines(self) -> list[str]:
        """What was added since the last call; a log that was rotated is read from its new beginning."""
        try:
            status = self.path.stat()
        except FileNotFoundError:
            return []
        if status.st_ino != self.inode or status.st_size < self.position:
            first = self.inode == 0
            self.inode = status.st_ino
            self.position = max(0, status.st_size - EARLIER_BYTES) if first else 0
            self.rest = b""
            cut = self.position > 0
        else:
            cut = False
        with self.path.open("rb") as file:
            file.seek(self.position)
            added = file.read()
        self.position += len(added)
        *whole, self.rest = (self.rest + added).split(b"\n")
        return [line.decode(errors="replace") for line in whole[cut:]]


def show(paths: Iterable[Path], follow: bool) -> None:
    """Prints the end of each log; with `follow` goes on until interrupted.

    Colours only on a terminal, and not with NO_COLOR (https://no-color.org).
    """
    coloured = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
    paths = list(paths)
    width = max((len(path.stem) for path in paths), default=0)
    followed = []
    for number, path in enumerate(paths):
        prefix = f"{path.stem:<{width}} | "
        if coloured:
            prefix = f"\x1b[{COLOURS[number % len(COLOURS)]}m{prefix}\x1b[0m"
        followed.append(_Followed(path, prefix))
    while True:
        for each in followed:
            for line in each.lines():
                print(f"{each.prefix}{line}")
        sys.stdout.flush()
        if not follow:
            return
        time.sleep(PAUSE)
