"""What stops a command."""

from __future__ import annotations


class LocalError(Exception):
    """Shown as it is: a line that says what is wrong and what to do, and the exit code."""

    def __init__(self, message: str, code: int = 1) -> None:
        super().__init__(message)
        self.code = code
