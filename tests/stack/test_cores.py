"""Each worker of Gunicorn stays on a core of its own, where there is one worker for each core."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from local import processes
from tests.harness.clients import wait_for
from tests.harness.local import LocalStack


@pytest.fixture
def two_cores() -> Iterator[list[int]]:
    """All that this process and those that it starts may use."""
    if not hasattr(os, "sched_getaffinity") or len(before := os.sched_getaffinity(0)) < 2:
        pytest.skip("needs Linux and two cores")
    chosen = sorted(before)[:2]
    os.sched_setaffinity(0, chosen)
    yield chosen
    os.sched_setaffinity(0, before)


def cores_of_workers(stack: LocalStack) -> dict[int, list[list[int]]]:
    """By process: the cores of each of its threads."""
    _, *workers = processes.members(stack.state.run / "wsgi.pid")
    return {
        worker.pid: [sorted(os.sched_getaffinity(int(task.name))) for task in _tasks(worker.pid)]
        for worker in workers
    }


def _tasks(pid: int) -> list[Path]:
    return list(Path(f"/proc/{pid}/task").iterdir())


def test_a_worker_has_a_core_and_its_successor_gets_it(two_cores: list[int]) -> None:
    with LocalStack({"WSGI_WORKERS": "2"}) as stack:
        before = cores_of_workers(stack)
        for first, *others in before.values():
            assert len(first) == 1
            assert all(other == first for other in others), "a thread may run elsewhere"
        assert sorted(threads[0][0] for threads in before.values()) == two_cores
        died, went_on = before
        os.kill(died, 9)

        def replaced() -> dict[int, list[list[int]]] | None:
            now = cores_of_workers(stack)
            return now if len(now) == 2 and died not in now else None

        after = wait_for(replaced, "another worker")
        (successor,) = after.keys() - before.keys()
        assert after[went_on][0] == before[went_on][0]
        wait_for(
            lambda: cores_of_workers(stack)[successor][0] == before[died][0], "the successor on its core"
        )
