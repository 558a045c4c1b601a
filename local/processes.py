"""Process groups: each service is one, named by the pid of its first process in a file."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

import psutil


def record(file: Path) -> None:
    """Notes this process, the first of its group; its start time tells it from a later one of that pid."""
    file.write_text(f"{os.getpid()} {psutil.Process().create_time()}")


def members(file: Path) -> list[psutil.Process]:
    """What still runs of the group that `file` names, its first process or those that outlived it."""
    try:
        leader, started = file.read_text().split()
    except (OSError, ValueError):
        return []
    group = int(leader)
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.NoSuchProcess):  # it ends while it is looked at
            if _group(process.pid) != group or process.status() == psutil.STATUS_ZOMBIE:
                continue
            if process.pid == group and abs(process.create_time() - float(started)) > 1:
                return []  # another program that has been given the same pid since
            found.append(process)
    return found


def end(files: Iterable[Path], seconds: float) -> bool:
    """Ends the groups: SIGTERM, and after `seconds` SIGKILL. Returns whether any of them ran."""
    left = [process for file in files for process in members(file)]
    ran = bool(left)
    for signal_number, patience in ((signal.SIGTERM, seconds), (signal.SIGKILL, 5.0)):
        for process in left:
            with suppress(psutil.NoSuchProcess):
                process.send_signal(signal_number)
        _, left = psutil.wait_procs(left, timeout=patience)
        if not left:
            break
    return ran


def _group(pid: int) -> int | None:
    try:
        return os.getpgid(pid)
    except OSError:
        return None
