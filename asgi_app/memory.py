"""Memory that was freed goes back to the system."""

from __future__ import annotations

import ctypes
import gc

_program = ctypes.CDLL(None)  # with the C library in it


def give_back() -> None:
    """Returns what is free to the system; takes some milliseconds. Does nothing where the C library cannot.

    With PYTHONMALLOC=malloc that is all that Python freed, page by page.

    glibc keeps it otherwise, as long as anything above it in the heap is in use.
    https://man7.org/linux/man-pages/man3/malloc_trim.3.html
    """
    if hasattr(_program, "malloc_trim"):
        _program.malloc_trim(0)


def clear_free_lists() -> None:
    """Frees the small objects that Python keeps to use them again; each holds a page, or more, in use.

    Python does so at the end of a full collection only. With all objects frozen there is nothing to look at,
    so that nobody has to wait. https://docs.python.org/3/library/gc.html#gc.collect
    """
    gc.freeze()
    gc.collect()
    gc.unfreeze()
