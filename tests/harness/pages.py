"""The code blocks of a page, and the terminals and files that they are for."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import psutil

from local.settings import ROOT
from tests.harness.clients import wait_for

# A fence whose first line says what its content is for: ```sh terminal=1, or ```python guests/app.py
BLOCK = re.compile(r"^```(\w+) +(\S[^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
# What a clone does not have.
NOT_CLONED = shutil.ignore_patterns(
    ".git", ".venv", ".corkboard", ".env", "__pycache__", ".*_cache", "results"
)


class Block(NamedTuple):
    """`purpose` is a file's path; or `terminal=N`, with `after=Ctrl-C` where that is pressed first."""

    language: str
    purpose: str
    text: str


def blocks(page: Path) -> list[Block]:
    """The blocks of a page that are for something, in order."""
    return [Block(*found) for found in BLOCK.findall(page.read_text())]


def clone(folder: Path) -> None:
    """Makes `folder` a clone of this checkout, in which nothing has to be installed."""
    shutil.copytree(ROOT, folder, ignore=NOT_CLONED)
    (folder / ".venv").symlink_to(sys.prefix)


class Terminal:
    """A shell that reads what is typed, one line after the other."""

    def __init__(self, folder: Path, log: Path, environment: dict[str, str]) -> None:
        self._log = log
        self._typed = 0
        with log.open("wb") as output:
            self._shell = subprocess.Popen(
                ["sh"],
                cwd=folder,
                env=environment,
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def type(self, text: str) -> None:
        """Types commands, and returns at once."""
        assert self._shell.stdin is not None
        self._shell.stdin.write(text.encode() + b"\n")
        self._shell.stdin.flush()

    def run(self, text: str, seconds: float = 300) -> None:
        """Types commands, and returns when they have ended.

        Raises:
            AssertionError: one failed, or they took longer than `seconds`.
        """
        self._typed += 1
        end = f"ended {self._typed}:"
        self.type(f"set -e\n{text}\nset +e\necho '{end}'")
        wait_for(
            lambda: self._shell.poll() is not None or end in self.output(), f"the end of {text}", seconds
        )
        assert end in self.output(), f"{text}\n{self.output()}"

    def interrupt(self) -> None:
        """Presses Ctrl-C: ends what runs in the foreground."""
        for process in psutil.Process(self._shell.pid).children():
            process.send_signal(signal.SIGINT)
            process.wait(30)

    def output(self) -> str:
        """All that was shown so far."""
        return self._log.read_text(errors="replace")

    def close(self) -> None:
        """Closes the window, and ends everything in it."""
        with suppress(ProcessLookupError):
            os.killpg(self._shell.pid, signal.SIGKILL)
        self._shell.wait()
