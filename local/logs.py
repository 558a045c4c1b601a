"""The services' logs, one after the other and then as they grow, each line with its service's name."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path

COLOURS = (36, 32, 33, 35, 34, 31)
PAUSE = 0.2
# What is shown of each log before following.
EARLIER_BYTES = 4096


def show(paths: list[Path], follow: bool) -> None:
    """Prints the end of each log; with `follow` goes on until interrupted.

    Colours only on a terminal, and not with NO_COLOR (https://no-color.org).
    """
    coloured = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
    width = max((len(path.stem) for path in paths), default=0)
    followed = []
    for number, path in enumerate(paths):
        prefix = f"{path.stem:<{width}} | "
        if coloured:
            prefix = f"\x1b[{COLOURS[number % len(COLOURS)]}m{prefix}\x1b[0m"
        followed.append((prefix, _turns(path)))
    while True:
        for prefix, turns in followed:
            for line in next(turns):
                print(f"{prefix}{line}")
        sys.stdout.flush()
        if not follow:
            return
        time.sleep(PAUSE)


def _turns(path: Path) -> Iterator[list[str]]:
    """At each turn, the lines since the last one. A log that was rotated is read from its new beginning."""
    inode, position, rest = 0, 0, b""
    while True:
        cut = 0
        added = b""
        if path.exists():
            status = path.stat()
            if status.st_ino != inode or status.st_size < position:
                position = 0 if inode else max(0, status.st_size - EARLIER_BYTES)
                cut = int(position > 0)  # that line's beginning is not shown
                inode, rest = status.st_ino, b""
            with path.open("rb") as file:
                file.seek(position)
                added = file.read()
        position += len(added)
        *whole, rest = (rest + added).split(b"\n")
        yield [line.decode(errors="replace") for line in whole[cut:]]
