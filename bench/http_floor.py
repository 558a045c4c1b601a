"""What the demo's answers cost beside the floor: an empty one of Flask, by the same Gunicorn and nginx."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager

from bench import http, machine, servers
from bench.results import Numbers
from bench.stack import Stack, stack
from local.state import free_port

ROUNDS = 3

Request = Callable[[int, Sequence[int], float], Numbers]


def measure(request: Request, seconds: float, of_bare_flask: bool = False) -> dict[str, float]:
    """CPU time of Gunicorn's processes for what `request` asks for, also in multiples of the floor's.

    Both are running all the time and asked in turns, so that what else the machine does meets both.
    `of_bare_flask`: it is asked of the app that has the floor, and not of the demo.
    """
    http.find_wrk()
    with stack() as running, _bare(running) as (edge, gunicorn):
        machine.pin(running.pids("redis"), machine.ALL_CORES)
        http.fill(running.port)
        asked = (edge, gunicorn) if of_bare_flask else (running.port, running.pids("wsgi"))
        found: dict[str, list[Numbers]] = {"floor": [], "asked": []}
        for _ in range(ROUNDS):
            found["floor"].append(http.get(edge, gunicorn, seconds / ROUNDS))
            found["asked"].append(request(*asked, seconds / ROUNDS))
    cpu = {who: sum(each["cpu_seconds_per_1000"] for each in runs) / ROUNDS for who, runs in found.items()}
    return {
        "times_the_floor": cpu["asked"] / cpu["floor"],
        "cpu_seconds_per_1000": cpu["asked"],
        "floor_cpu_seconds_per_1000": cpu["floor"],
        **{
            f"{name}{key}": sum(each[key] for each in found[who]) / ROUNDS
            for who, name in (("asked", ""), ("floor", "floor_"))
            for key in ("requests_per_second", "p99_ms")
        },
    }


def position(port: int, pids: Sequence[int], seconds: float) -> Numbers:
    """Bare Flask's answer with a topic's cursor: one call to Redis, which reads."""
    return http.get(port, pids, seconds, "/position")


def empty(port: int, pids: Sequence[int], seconds: float) -> Numbers:
    """The demo's own empty answer: what its request ids, metrics and headers cost."""
    return http.get(port, pids, seconds, "/healthz")


@contextmanager
def _bare(running: Stack) -> Iterator[tuple[int, list[int]]]:
    """The floor, with the settings of the deployment that runs; yields nginx' port and Gunicorn's pids."""
    port, metrics = free_port(), free_port()
    with ExitStack() as opened:
        sockets = opened.enter_context(servers.folder())
        environment = running.program("wsgi")["environment"] | {
            "WSGI_BIND": f"127.0.0.1:{port}",
            "WSGI_METRICS_PORT": str(metrics),
            "SOCKET_FOLDER": str(sockets),
        }
        settings = ["-c", "wsgi_app/gunicorn.conf.py", "bench.peers.bare_flask:app"]
        master = opened.enter_context(
            servers.process([sys.executable, "-m", "gunicorn", *settings], environment, port)
        )
        edge, _ = opened.enter_context(servers.nginx_before(port, sockets / "1.sock"))
        yield edge, machine.family([master.pid])
