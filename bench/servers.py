"""Starts the servers under test, each in processes of its own, and stops them."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil

from bench import machine
from bench.clients import Endpoint
from bench.publishers import StartPublisher
from bench.resp import Redis
from local import binaries, render
from local.settings import ROOT
from local.state import free_port

START_SECONDS = 30


class Missing(Exception):
    """This machine lacks what a measurement needs; the message says what."""


@dataclass(frozen=True)
class Target:
    """A server under test."""

    endpoint: Endpoint
    publisher: StartPublisher
    # The processes whose CPU time and memory count, by role.
    pids: dict[str, list[int]]
    redis: Redis | None = None
    redis_user: str = "asgi"  # as whom the server logs in there
    # The same server for clients that resume, where that takes another protocol.
    resuming: Target | None = None

    @property
    def all_pids(self) -> list[int]:
        """Those of all roles."""
        return [pid for pids in self.pids.values() for pid in pids]


@contextmanager
def process(
    command: list[str], environment: dict[str, str], port: int, is_http: bool = True
) -> Iterator[psutil.Process]:
    """Runs a server; the block begins when it answers on its port, HTTP with any status if it `is_http`.

    Raises:
        RuntimeError: it does not start; with the end of its output.
    """
    machine.raise_open_files()
    with tempfile.TemporaryFile() as log:
        started = subprocess.Popen(
            command, cwd=ROOT, env=os.environ | environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log
        )
        try:
            deadline = time.monotonic() + START_SECONDS
            while not _answers(port, is_http):
                if started.poll() is not None or time.monotonic() > deadline:
                    log.seek(0)
                    output = log.read()[-2000:].decode(errors="replace")
                    raise RuntimeError(f"{command[0]} does not start: {output}")
                time.sleep(0.05)
            yield psutil.Process(started.pid)
        finally:
            _end(started)


@contextmanager
def plain_redis() -> Iterator[Redis]:
    """A Redis without a password and without persistence, as the peers' own documentation starts it."""
    with redis_with("--appendonly", "no") as (redis, pids):
        machine.pin(pids, machine.OTHER_CORES)
        yield redis


@contextmanager
def redis_with(*options: str) -> Iterator[tuple[Redis, list[int]]]:
    """A Redis without a password; yields it and its pid."""
    port = free_port()
    command = [binaries.redis(), "--port", str(port), "--bind", "127.0.0.1", "--save", "", *options]
    with process(command, {}, port, is_http=False) as server:
        yield Redis(port), [server.pid]


@contextmanager
def uvicorn(app: str, environment: dict[str, str], *options: str) -> Iterator[tuple[int, list[int]]]:
    """One Uvicorn process with default settings; yields its port and pid."""
    port = free_port()
    command = [sys.executable, "-m", "uvicorn", app, "--port", str(port), *options]
    command += ["--no-access-log", "--log-level", "warning", "--backlog", "4096"]
    with process(command, environment, port) as server:
        yield port, [server.pid]


@contextmanager
def nginx_before(port: int, sock: Path | None = None) -> Iterator[tuple[int, list[int]]]:
    """The project's nginx configuration in front of a server; yields its port and its workers' pids.

    By a Unix socket, where the server has one.
    """
    edge = free_port()
    with folder() as run:
        values = {
            "NGINX_PORT": str(edge), "NGINX_RUN_DIR": str(run), "STATIC_DIR": str(run),
            "APP_SERVER": f"127.0.0.1:{port}", "ASGI_SERVERS": f"127.0.0.1:{port}", "RATE_LIMIT": "0",
            "APP_SOCKETS": str(sock or ""),
        }  # fmt: skip
        render.render(run, values)
        with nginx(binaries.nginx(), run, edge) as workers:
            yield edge, workers


@contextmanager
def nginx(program: str, run: Path, port: int) -> Iterator[list[int]]:
    """nginx with the configuration in a folder; yields its workers' pids."""
    # As root, nginx would change to a user who cannot read the folder.
    directives = "daemon off;" + (" user root;" if os.getuid() == 0 else "")
    command = [program, "-e", "stderr", "-p", str(run), "-c", str(run / "nginx.conf"), "-g", directives]
    with process(command, {}, port) as master:
        yield [child.pid for child in master.children()]


@contextmanager
def folder() -> Iterator[Path]:
    """A temporary folder; a process that is ending may still write to it while it is removed."""
    made = Path(tempfile.mkdtemp(prefix="corkboard-bench-")).resolve()
    try:
        yield made
    finally:
        shutil.rmtree(made, ignore_errors=True)


def _answers(port: int, is_http: bool) -> bool:
    with suppress(OSError, httpx.HTTPError):
        if is_http:
            httpx.get(f"http://127.0.0.1:{port}/", timeout=3, trust_env=False)
        else:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        return True
    return False


def _end(started: subprocess.Popen[bytes]) -> None:
    children = psutil.Process(started.pid).children(recursive=True) if started.poll() is None else []
    started.terminate()
    try:
        started.wait(10)
    except subprocess.TimeoutExpired:
        started.kill()
        started.wait()
    for child in children:
        with suppress(psutil.NoSuchProcess):
            child.kill()
