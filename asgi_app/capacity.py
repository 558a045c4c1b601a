"""Whether the clients that the settings allow fit into the memory that there is."""

from __future__ import annotations

import os
from pathlib import Path

from asgi_app import limits

MIB = 1024 * 1024
CONTROL_GROUPS = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"))


def available() -> int:
    """Bytes that this process may use: the container's `mem_limit`, or the machine's memory."""
    machine = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    said = [file.read_text().strip() for file in CONTROL_GROUPS if file.exists()]
    return min([machine, *(int(each) for each in said if each.isdigit())])


def check(sockets: int) -> None:
    """Raises ValueError, with the number that would fit, when so many sockets do not."""
    there = available()
    most = max(0, there - limits.PROCESS_BYTES) // limits.SOCKET_BYTES
    if sockets > most:
        raise ValueError(
            f"MAX_SOCKETS is invalid: expected at most {most}, which fit into the {there // MIB} MiB "
            f"of memory, not {sockets}"
        )
