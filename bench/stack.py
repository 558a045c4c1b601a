"""The project itself, started as `make up` starts it, in a temporary folder and on free ports."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import psutil

from bench import machine, servers
from bench.clients import Endpoint
from bench.frames import upgrade
from bench.publishers import CorkboardPublisher, StartPublisher
from bench.resp import Redis
from bench.servers import Target
from local import processes
from local.settings import ROOT
from local.state import State, free_port
from local.supervisor import Supervisor
from local.table import documented

TOPIC = "board:bench"
# One client address may open thousands of connections.
SETTINGS = {
    "ASGI_REPLICAS": "1", "MAX_SOCKETS": "16000", "MAX_SOCKETS_PER_CLIENT": "16000", "RATE_LIMIT": "0",
    "MAX_REQUESTS_PER_CLIENT": "0",
}  # fmt: skip


class Stack:
    """The running deployment."""

    def __init__(self, state: State, port: int) -> None:
        self.port = port
        self._state = state
        self._ports: dict[str, int] = json.loads((state.run / "ports.json").read_text())
        self.redis = Redis(
            self._ports["redis"], "admin", (state.secrets / "redis" / "admin_password").read_text().strip()
        )

    def pids(self, service: str) -> list[int]:
        """The processes of one service: its main process and its workers."""
        return [process.pid for process in processes.members(self._state.run / f"{service}.pid")]

    def program(self, service: str) -> dict[str, Any]:
        """The command and the environment of one service."""
        found: dict[str, Any] = json.loads((self._state.run / f"{service}.json").read_text())
        return found

    def flask_requests(self) -> float:
        """How many requests Flask has answered so far, those of health checks not counted."""
        address = f"http://127.0.0.1:{self._ports['wsgi-metrics']}/metrics"
        text = httpx.get(address, trust_env=False, timeout=10).text
        lines = [line for line in text.splitlines() if line.startswith("corkboard_http_requests_total{")]
        return sum(float(line.rpartition(" ")[2]) for line in lines if 'route="/readyz"' not in line)

    @property
    def publisher(self) -> StartPublisher:
        """Publishes to `TOPIC` as the kit does."""
        return partial(CorkboardPublisher, redis=self.redis, topic=TOPIC)

    def sidecar(self) -> Target:
        """The sidecar, addressed directly."""
        return self._target(self._ports["asgi-1"], {"sidecar": self.pids("asgi-1")})

    def behind_nginx(self) -> Target:
        """The sidecar through nginx; the CPU time of both counts."""
        return self._target(self.port, {"sidecar": self.pids("asgi-1"), "nginx": self.pids("nginx")})

    def _target(self, port: int, pids: dict[str, list[int]]) -> Target:
        endpoint = Endpoint(
            port,
            upgrade(port, f"/ws?topic={TOPIC}"),
            ready=b'"op":"subscribed"',
            resume=upgrade(port, f"/ws?topic={TOPIC}&since=LAST-ID"),
            last_id=rb'"id":"([^"]+)"',
        )
        return Target(endpoint, self.publisher, pids, self.redis)


@contextmanager
def stack(**settings: str) -> Iterator[Stack]:
    """A deployment with an empty board, and with more settings, removed after the block."""
    port = free_port()
    environment = {name: value for name, value in os.environ.items() if name not in documented()}
    environment |= {**SETTINGS, "HTTP_PORT": str(port), **settings}
    with servers.folder() as folder:
        _up(folder, environment)
        try:
            started = Stack(State(folder), port)
            machine.pin(started.pids("redis"), machine.OTHER_CORES)
            yield started
        finally:
            _kill(State(folder))


def _kill(state: State) -> None:
    """Kills all processes: the data is not needed, and an orderly stop takes as long as a measurement."""
    with suppress(OSError, ValueError, psutil.NoSuchProcess):  # first the one that restarts the others
        psutil.Process(int((state.run / "supervisor.pid").read_text())).kill()
    for file in state.run.glob("*.pid"):
        for member in processes.members(file):
            with suppress(psutil.NoSuchProcess):
                member.kill()
    Supervisor(state).stop()  # nothing runs any more: this only tidies up


def _up(folder: Path, environment: dict[str, str]) -> None:
    command = [sys.executable, "-m", "local", "--state", str(folder), "--env-file", os.devnull, "up"]
    result = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    if result.returncode:
        raise RuntimeError(f"the project does not start:\n{result.stdout}{result.stderr}")
