"""Whether the processes and threads that the settings ask for fit into the memory that there is."""

from __future__ import annotations

import os
from pathlib import Path

MIB = 1024 * 1024
# Measured with Gunicorn 27, and rounded up. A worker's own: what it imported, the lists that it keeps. A
# thread's: its stack, its connection to Redis, the request that it serves.
MASTER_BYTES = 48 * MIB
WORKER_BYTES = 40 * MIB
THREAD_BYTES = MIB // 4
CONTROL_GROUPS = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"))


def available() -> int:
    """Bytes that all processes here may use: the container's `mem_limit`, or the machine's memory."""
    machine = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    said = [file.read_text().strip() for file in CONTROL_GROUPS if file.exists()]
    return min([machine, *(int(each) for each in said if each.isdigit())])


def check(workers: int, threads: int) -> None:
    """Raises ValueError, with the number that would fit, when so many workers with so many threads do not."""
    there, worker = available(), WORKER_BYTES + threads * THREAD_BYTES
    most = max(0, there - MASTER_BYTES) // worker
    if workers > most:
        raise ValueError(
            f"WSGI_WORKERS is invalid: expected at most {most} with {threads} threads each, which fit into "
            f"the {there // MIB} MiB of memory, not {workers}"
        )
