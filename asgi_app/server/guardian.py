"""A small second process, which ends the sidecar when its event loop stands still, whatever the reason.

Otherwise nginx would go on sending clients here: the kernel still accepts them. Nothing inside a process that
was stopped (SIGSTOP) can notice that. Whoever started the process starts it anew, and its clients resume
elsewhere meanwhile.

It is forked before everything else is imported, so that it stays small. So this module imports no other of
the sidecar's but `limits`.
"""

from __future__ import annotations

import faulthandler
import os
import select
import signal
import sys
import time
from contextlib import suppress

from asgi_app import limits

_heart: int | None = None  # the end of the pipe that beats are written to


def start() -> None:
    """Forks the guardian. It begins to count with the first beat, and ends when this process ends."""
    global _heart
    pid = os.getpid()
    if pid == 1:
        # The kernel protects it from what its own container sends, SIGKILL included.
        _say("WARNING", "runs as PID 1, which nothing inside its container can end: start it with an init")
    faulthandler.register(signal.SIGUSR1)
    beats, heart = os.pipe()
    os.set_blocking(heart, False)
    if os.fork():
        os.close(beats)
        _heart = heart
        return
    try:
        os.close(heart)
        # What is sent to the whole group is the sidecar's business. The guardian ends with it.
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1):
            signal.signal(number, signal.SIG_IGN)
        _watch(pid, beats)
    finally:
        os._exit(0)


def beat() -> None:
    """Says that the event loop has turned. Nothing without a guardian."""
    global _heart
    if _heart is None:
        return
    try:
        os.write(_heart, b".")
    except BlockingIOError:  # the guardian is stopped; what it has not read says enough
        pass
    except BrokenPipeError:
        _say("ERROR", "the guardian is gone; nobody ends this process when it stands still")
        stop()


def stop() -> None:
    """From now on nobody watches: the process is about to end by itself."""
    global _heart
    if _heart is not None:
        os.close(_heart)
        _heart = None


def _watch(pid: int, beats: int) -> None:
    # Steps are counted, not seconds: when the machine or the whole container stands still, so does the count.
    silent, alive = 0.0, os.read(beats, 4096)
    while alive and silent < limits.STUCK_SECONDS:
        if select.select([beats], [], [], limits.STUCK_STEP_SECONDS)[0]:
            silent, alive = 0.0, os.read(beats, 4096)
        else:
            silent += limits.STUCK_STEP_SECONDS * _weight(pid)
    if not alive or os.getppid() != pid:
        return
    _say("CRITICAL", f"the event loop stands still (state {_state(pid)}); process {pid} is ended")
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGUSR1)  # its stack, from all threads, unless it is stopped
        time.sleep(limits.STUCK_TRACE_SECONDS)
        os.kill(pid, signal.SIGKILL)


def _weight(pid: int) -> float:
    # Who computes may be on the way to the end of a long turn, on a crowded machine; who sleeps is not.
    return 1 if _state(pid) in ("S", "T") else limits.STUCK_SECONDS / limits.STUCK_BUSY_SECONDS


def _state(pid: int) -> str:
    # https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html; elsewhere there is none.
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:  # noqa: PTH123
            return file.read().rpartition(b") ")[2][:1].decode()
    except OSError:
        return "?"


def _say(level: str, message: str) -> None:
    # As asgi_app/logs.py would, which takes more memory than the guardian.
    now = time.strftime("%Y-%m-%dT%H:%M:%S+00:00", time.gmtime())
    line = (
        f'{{"level": "{level}", "logger": "{__name__}", "message": "{message}", "service": "asgi", '
        f'"time": "{now}"}}\n'
    )
    with suppress(OSError):
        os.write(sys.stderr.fileno(), line.encode())
