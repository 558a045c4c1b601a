"""Each worker on one core, where that spreads the workers evenly.

Of a worker's threads one runs at a time. When the next one runs on another core, it finds nothing in that
core's caches: docs/explanation/performance.md has what that costs.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable
from contextlib import suppress


def choose(workers: int, taken: Iterable[int | None]) -> int | None:
    """The core for one more worker, of those that this process may use; None for any of them.

    Workers that are no multiple of the cores are better placed by the system: it knows what else runs.

    Args:
        workers: how many there will be.
        taken: the cores of those that are there.
    """
    if not hasattr(os, "sched_getaffinity"):  # Linux has it
        return None
    allowed = sorted(os.sched_getaffinity(0))
    if workers % len(allowed):
        return None
    used = Counter(taken)
    return min(allowed, key=lambda core: used[core])


def stay_on(core: int | None) -> None:
    """Keeps this process, and the threads that it will start, on a core, if the system lets it."""
    if core is not None:
        # It is for speed only: a core that was taken away, or a filter, must not keep the app from running.
        with suppress(OSError):
            os.sched_setaffinity(0, {core})
