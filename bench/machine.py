"""This machine: its cores, what processes have used of them, and their memory."""

from __future__ import annotations

import multiprocessing
import os
import platform
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

# The server alone has the last core; the generator, Redis and everything else share the others.
ALL_CORES = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
SERVER_CORES = ALL_CORES[-1:] if len(ALL_CORES) > 1 else ALL_CORES
OTHER_CORES = ALL_CORES[:-1] if len(ALL_CORES) > 1 else ALL_CORES


def pin(pids: Iterable[int], cores: list[int]) -> None:
    """Keeps processes, with all their threads and children, on these cores, where the system can do that."""
    if not cores:
        return
    for pid in family(pids):
        for thread in _threads(pid):
            with suppress(OSError):
                os.sched_setaffinity(thread, cores)


def family(pids: Iterable[int]) -> list[int]:
    """The processes and all that descend from them."""
    found: dict[int, None] = {}
    for pid in pids:
        with suppress(psutil.NoSuchProcess):
            process = psutil.Process(pid)
            found.update(dict.fromkeys([pid, *(child.pid for child in process.children(recursive=True))]))
    return list(found)


def cpu_seconds(pids: Iterable[int]) -> float:
    """What these processes (not their children) have used of the processors so far.

    From the scheduler's own account in nanoseconds; where there is none, from ticks of 10 ms.
    """
    total = 0.0
    for pid in pids:
        try:
            total += sum(_nanoseconds(pid, thread) for thread in _threads(pid)) / 1e9
        except OSError:
            with suppress(psutil.NoSuchProcess):
                times = psutil.Process(pid).cpu_times()
                total += times.user + times.system
    return total


def memory(pids: Iterable[int]) -> int:
    """Resident bytes of these processes."""
    return sum(psutil.Process(pid).memory_info().rss for pid in pids)


def description() -> dict[str, object]:
    """What a reader must know of the machine, and nothing that names it."""
    return {
        "cores": len(ALL_CORES) or os.cpu_count(),
        "processor": _processor(),
        "memory_gib": round(psutil.virtual_memory().total / 2**30),
        "system": f"{platform.system()} {platform.release().split('-')[0]}",
        "python": platform.python_version(),
        "pinned": bool(SERVER_CORES) and SERVER_CORES != OTHER_CORES,
    }


def on_other_cores(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Runs a function in a process of its own beside the server; what it raises is raised here."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context, initializer=_begin) as pool:
        return pool.submit(function, *args, **kwargs).result()


def raise_open_files() -> None:
    """As many open files as the system allows, up to what the measurements need."""
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


def _nanoseconds(pid: int, thread: int) -> int:
    return int(Path(f"/proc/{pid}/task/{thread}/schedstat").read_text().split()[0])


def _processor() -> str:
    with suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
