"""Waits until the stack serves, and says which service does not."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterable, Mapping

import httpx

import redis
from local.errors import LocalError
from local.services import Service
from local.state import State
from local.supervisor import Supervisor

PAUSE = 0.1
LOG_LINES = 12


def wait(
    services: Iterable[Service],
    supervisor: Supervisor,
    state: State,
    log_starts: Mapping[str, int],
    lives: int,
    seconds: float = 60,
) -> None:
    """Returns when every service is ready, nginx as the last one; prints the progress.

    Args:
        log_starts: the size of each log before the start; what is older is not shown.
        lives: how many processes a service may use up; 2 when it may have been killed just before.
        seconds: how long to wait.

    Raises:
        LocalError: a service ended, or is not ready in time. With the last lines of its log.
    """
    begun = time.monotonic()
    waiting = {service.name: service for service in services}
    pids: dict[str, set[int]] = defaultdict(set)
    while waiting:
        running = set()
        for process in supervisor.processes():
            pids[process.name].add(process.pid)
            # Supervisor tries again by itself: what ended at once is in BACKOFF, what lived a little longer
            # (on a slow machine) is another process by now.
            if process.state in ("BACKOFF", "FATAL") or len(pids[process.name] - {0}) > lives:
                raise LocalError(report(state, process.name, "does not start", log_starts))
            if process.state == "RUNNING":
                running.add(process.name)
        # nginx last: asked before the sidecars listen, it would take them for dead and pause them.
        asked = [name for name in waiting if name != "nginx"] or ["nginx"]
        for name in [name for name in asked if name in running and all(map(answers, waiting[name].probes))]:
            del waiting[name]
            print(f"  {name:<8} ready after {time.monotonic() - begun:.1f} s", flush=True)
        if waiting and time.monotonic() - begun > seconds:
            raise LocalError(
                report(state, next(iter(waiting)), f"is not ready after {seconds:.0f} s", log_starts)
            )
        time.sleep(PAUSE if waiting else 0)


def answers(url: str) -> bool:
    """Whether what is there is ready: 200, or PONG."""
    try:
        if not url.startswith("redis:"):
            # nginx on this machine, whose certificate is for another name.
            return httpx.get(url, timeout=3, trust_env=False, verify=False).status_code == 200  # noqa: S501
        # This user needs no password, but is only logged in with one.
        with redis.Redis.from_url(url, username="health", password="-", socket_timeout=2) as client:  # noqa: S106
            return bool(client.ping())
    except (httpx.HTTPError, redis.RedisError):
        return False


def report(state: State, name: str, what: str, log_starts: Mapping[str, int]) -> str:
    """What is wrong with a service, with the last lines of its log."""
    log = state.log(name)
    lines: list[str] = []
    if log.exists():
        with log.open("rb") as file:
            file.seek(min(log_starts.get(name, 0), log.stat().st_size))
            lines = file.read().decode(errors="replace").splitlines()
    # A start is tried more than once: the same lines again say nothing new.
    shown = list(dict.fromkeys(line for line in lines if line.strip()))[-LOG_LINES:]
    # Whoever cannot start says why in one line that is no log record.
    plain = [line for line in shown if not line.startswith("{")]
    if len(plain) == 1:
        return f"{name} {what}: {plain[0]}"
    return "\n".join([f"{name} {what}; its log ({log}) ends with:", *(f"  {line}" for line in shown)])
