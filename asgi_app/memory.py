"""Memory that was freed goes back to the system."""

from __future__ import annotations

import ctypes

_program = ctypes.CDLL(None)  # with the C library in it


def give_back() -> None:
    """Returns what is free to the system; takes some milliseconds. Does nothing where the C library cannot.

    glibc keeps it otherwise, as long as anything above it in the heap is in use.
    https://man7.org/linux/man-pages/man3/malloc_trim.3.html
    """
    if hasattr(_program, "malloc_trim"):
        _program.malloc_trim(0)
