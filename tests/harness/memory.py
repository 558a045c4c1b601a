"""How much memory each process of a local stack takes, now and at most."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import psutil

from local import processes
from tests.harness.local import LocalStack

MIB = 2**20
PAUSE = 0.1
SLACK_MIB = 8


def memory(stack: LocalStack) -> dict[str, float]:
    """Resident MiB of every process, by service and number: `asgi-1`, `wsgi`, `wsgi.1`, `nginx`, `redis`."""
    return _sizes(_processes(stack))


@contextmanager
def peak(stack: LocalStack) -> Iterator[dict[str, float]]:
    """Fills a dict with the most that each process takes while the block runs."""
    running = _processes(stack)
    most = _sizes(running)
    over = threading.Event()

    def sample() -> None:
        while not over.wait(PAUSE):
            for name, size in _sizes(running).items():
                most[name] = max(size, most.get(name, 0))

    thread = threading.Thread(target=sample, daemon=True)
    thread.start()
    try:
        yield most
    finally:
        over.set()
        thread.join()


def given_back(before: dict[str, float], after: dict[str, float]) -> bool:
    """Whether every process that was there before takes at most a fifth more; a small one, a few MiB."""
    return all(
        after[name] <= max(1.2 * size, size + SLACK_MIB) for name, size in before.items() if name in after
    )


def _processes(stack: LocalStack) -> dict[str, psutil.Process]:
    found = {}
    for file in sorted(stack.state.run.glob("*.pid")):
        members = sorted(processes.members(file), key=lambda process: process.pid)
        found |= {f"{file.stem}.{number}" if number else file.stem: one for number, one in enumerate(members)}
    return found


def _sizes(running: dict[str, psutil.Process]) -> dict[str, float]:
    found = {}
    for name, process in running.items():
        with suppress(psutil.NoSuchProcess):
            found[name] = process.memory_info().rss / MIB
    return found
