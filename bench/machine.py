"""This machine: its cores, and the CPU time and memory of processes."""

from __future__ import annotations

import multiprocessing
import os
import platform
import re
import resource
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import psutil

P = ParamSpec("P")
T = TypeVar("T")

OPEN_FILES = 20_000

# The server under test has the last core alone; the load generator, Redis and the rest share the others.
ALL_CORES = sorted(os.sched_getaffinity(0))
SERVER_CORES = ALL_CORES[-1:]
OTHER_CORES = ALL_CORES[:-1] or ALL_CORES


def pin(pids: Iterable[int], cores: list[int]) -> None:
    """Pins processes with all their threads and children to these cores."""
    for pid in family(pids):
        for thread in _threads(pid):
            with suppress(OSError):
                os.sched_setaffinity(thread, cores)


def family(pids: Iterable[int]) -> list[int]:
    """The processes and all their descendants."""
    found: set[int] = set()
    for pid in pids:
        with suppress(psutil.NoSuchProcess):
            found |= {pid, *(child.pid for child in psutil.Process(pid).children(recursive=True))}
    return sorted(found)


def cpu_seconds(pids: Iterable[int]) -> float:
    """CPU time that these processes, without their children, have used so far: the scheduler's account."""
    nanoseconds = 0
    for pid in pids:
        for thread in _threads(pid):
            with suppress(OSError):  # the thread has ended
                nanoseconds += int(Path(f"/proc/{pid}/task/{thread}/schedstat").read_text().split()[0])
    return nanoseconds / 1e9


def memory(pids: Iterable[int]) -> int:
    """Resident bytes of these processes."""
    return sum(psutil.Process(pid).memory_info().rss for pid in pids)


def description() -> dict[str, object]:
    """What a reader needs to know about the machine, and nothing that identifies it."""
    return {
        "cores": len(ALL_CORES),
        "processor": _processor(),
        "memory_gib": round(psutil.virtual_memory().total / 2**30),
        "system": f"{platform.system()} {platform.release().split('-')[0]}",
        "python": platform.python_version(),
        "pinned": SERVER_CORES != OTHER_CORES,
    }


def on_other_cores(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Calls a function in a new process on `OTHER_CORES`; returns or raises what it does."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context, initializer=_begin) as pool:
        return pool.submit(function, *args, **kwargs).result()


def in_new_process(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Calls a function in a new process on all cores; returns or raises what it does."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context, initializer=raise_open_files) as pool:
        return pool.submit(function, *args, **kwargs).result()


def raise_open_files() -> None:
    """Raises the limit of open files to `OPEN_FILES`, or as far as the system allows."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = OPEN_FILES if hard == resource.RLIM_INFINITY else min(OPEN_FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def _begin(*_: Any) -> None:
    raise_open_files()
    pin([os.getpid()], OTHER_CORES)


def _threads(pid: int) -> list[int]:
    try:
        return [int(thread.name) for thread in Path(f"/proc/{pid}/task").iterdir()]
    except OSError:
        return []


def _processor() -> str:
    found = re.search(r"^model name\s*: (.*)", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    return found[1] if found else platform.machine()
