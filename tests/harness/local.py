"""The deployment as local processes, started as `make up` does it, in a folder and on a port of its own."""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Self

import psutil

from local import processes, redis_cli
from local.settings import ROOT
from local.state import INNER_PORTS, State, is_free
from local.table import documented
from prove.local_parts import LocalParts
from tests.harness.clients import wait_for

# So many sidecars have a port of their own from the beginning.
SIDECARS = ("asgi-1", "asgi-2", "asgi-3")
# Two workers of pytest-xdist that choose at the same moment must not choose the same.
WORKERS = 4
WORKER = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % WORKERS
_given: set[int] = set()


def _own_part(ports: range) -> range:
    size = len(ports) // WORKERS
    return ports[WORKER * size : (WORKER + 1) * size]


def _choose(ports: range) -> int:
    # One that was given is not given again, although nobody may listen there yet, or just now.
    found = (port for port in random.sample(_own_part(ports), 500) if port not in _given)
    port = next(port for port in found if is_free("0.0.0.0", port))
    _given.add(port)
    return port


def free_port() -> int:
    """A port for a server that may restart: below those of outgoing connections and of inner services."""
    return _choose(range(10_000, 20_000))


class LocalStack:
    """One deployment; `environment` holds settings as they could stand in `.env`, `code` is the clone."""

    def __init__(self, environment: Mapping[str, str] | None = None, code: Path = ROOT) -> None:
        self.code = code
        self.folder = Path(tempfile.mkdtemp(prefix="corkboard-test-")).resolve()
        self.state = State(self.folder)
        self.port = free_port()
        self.base_url = f"http://127.0.0.1:{self.port}"
        self.parts = LocalParts(self.state, self.base_url)
        # What is set on this machine must not decide a test.
        self.environment = {name: value for name, value in os.environ.items() if name not in documented()}
        self.environment |= {"HTTP_PORT": str(self.port), "RATE_LIMIT": "0", **(environment or {})}
        self.state.run.mkdir(mode=0o700)
        ports = {name: _choose(INNER_PORTS) for name in ("redis", "wsgi", "wsgi-metrics", *SIDECARS)}
        (self.state.run / "ports.json").write_text(json.dumps(ports))

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def run(
        self, *arguments: str, check: bool = True, **environment: str
    ) -> subprocess.CompletedProcess[str]:
        """`python -m local` on this stack; nobody is there to be asked.

        Raises:
            AssertionError: it failed; with what it wrote.
        """
        with self.begin(*arguments, **environment) as process:
            output, errors = process.communicate()
        result = subprocess.CompletedProcess(process.args, process.returncode, output, errors)
        if check and result.returncode:
            raise AssertionError(f"local {' '.join(arguments)} failed:\n{result.stdout}{result.stderr}")
        return result

    def begin(self, *arguments: str, **environment: str) -> subprocess.Popen[str]:
        """The same, and does not wait for it."""
        command = [sys.executable, "-m", "local", "--state", str(self.folder), "--env-file", os.devnull]
        return subprocess.Popen(
            [*command, *arguments],
            cwd=self.code,
            env={**self.environment, **environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def start(self) -> None:
        """Starts everything, or what is missing; returns when it is healthy."""
        self.run("up")

    def down(self) -> None:
        """Stops everything and keeps the data."""
        self.run("down")

    def stop(self) -> None:
        """Kills everything and removes all of it: what goes for good need not say goodbye."""
        try:
            # The supervising one first, as it would start the others again.
            for process in [*self._supervised(), *self._running()]:
                with suppress(psutil.NoSuchProcess):
                    process.kill()
            wait_for(lambda: not self._running(), "the end of a stack that was killed")
        finally:
            for folder in (self.folder, self.state.socket.parent, self.state.sockets):
                shutil.rmtree(folder, ignore_errors=True)

    def recreate(self, service: str) -> None:
        """Replaces the service's processes, as a deploy does; returns when they are healthy."""
        self.parts.recreate(service)

    def scale(self, service: str, replicas: int) -> None:
        """Starts or stops replicas of `asgi`; returns when they are healthy."""
        assert service == "asgi"
        self.environment["ASGI_REPLICAS"] = str(replicas)
        self.start()

    def logs(self, service: str) -> str:
        """All that the service's processes wrote so far, also what is in files that were put aside."""
        files = [file for name in self.parts.names(service) for file in self.state.logs.glob(f"{name}.log*")]
        return "".join(file.read_text() for file in sorted(files, reverse=True))

    def redis_cli(self, *arguments: str) -> str:
        """Asks Redis as the operator's user `admin`, as `make redis-cli` does it; the answer."""
        port = self.state.ports(["redis"], running=True)["redis"]
        return redis_cli.ask(self.state, port, list(arguments)).rstrip("\n")

    def backup(self, folder: Path) -> str:
        """`make backup`; what it says."""
        return self.run("backup", "--to", str(folder)).stdout

    def restore(self, file: Path, folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
        """`make restore`."""
        return self.run("restore", str(file), "--to", str(folder), check=False, **environment)

    def pids(self) -> list[int]:
        """Every process of the stack, the supervising one not."""
        return [process.pid for process in self._running()]

    def _supervised(self) -> list[psutil.Process]:
        # Of one that was killed the number is left, and may be another program's by now.
        with suppress(FileNotFoundError, psutil.NoSuchProcess):
            found = psutil.Process(int((self.state.run / "supervisor.pid").read_text()))
            if str(self.folder) in " ".join(found.cmdline()):
                return [found, *found.children(recursive=True)]
        return []

    def _running(self) -> list[psutil.Process]:
        return [process for file in self.state.run.glob("*.pid") for process in processes.members(file)]
