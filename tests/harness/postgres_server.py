"""PostgreSQL by itself, in a temporary folder, on a port of its own. Tests may kill it and start it again."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

import psutil

from tests.harness.clients import wait_for
from tests.harness.local import free_port

# Processes are killed here, the power is not cut, so what is not on a disk survives, too; and this is faster.
MEMORY = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None  # noqa: S108
SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_connections": "50",
    "shared_buffers": "16MB",
}


def postgres_missing() -> str:
    """Why there can be no PostgreSQL here; empty when there can."""
    return "" if _binaries() else "PostgreSQL is not installed (Debian: apt-get install postgresql)"


class PostgresServer:
    """A server with one database. It refuses to run as root, so root runs it as another user."""

    def __init__(self, *, disk: bool = False) -> None:
        found = _binaries()
        assert found, postgres_missing()
        self._binaries = found
        self._process: subprocess.Popen[bytes] | None = None
        self.port = free_port()
        self.folder = Path(
            tempfile.mkdtemp(prefix="corkboard-postgres-", dir=None if disk else MEMORY)
        ).resolve()
        self._data = self.folder / "data"
        if os.geteuid() == 0:
            shutil.chown(self.folder, "nobody", "nogroup")
        make = [
            found / "initdb",
            "--no-sync",
            "--auth=trust",
            "--username=app",
            "--encoding=UTF8",
            "-D",
            self._data,
        ]
        subprocess.run(make, check=True, capture_output=True, **self._as_user())

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    @property
    def url(self) -> str:
        """Of its database."""
        return f"postgresql://app@127.0.0.1:{self.port}/postgres"

    def start(self) -> None:
        """Starts it, and returns when it answers."""
        try:
            wait_for(self._started, "PostgreSQL answers")
        except AssertionError as error:
            raise AssertionError(f"{error}\n{(self.folder / 'log').read_text()}") from None

    def kill(self) -> None:
        """kill -9, of its children, too; the data stays."""
        if self._process:
            with suppress(psutil.NoSuchProcess):
                process = psutil.Process(self._process.pid)
                crew = [process, *process.children(recursive=True)]
                for each in crew:
                    with suppress(psutil.NoSuchProcess):
                        each.kill()
                psutil.wait_procs(crew, 10)
            self._process = None

    def _started(self) -> bool:
        # What is left of a killed one, such as shared memory, can make it end at once.
        if self._process is None or self._process.poll() is not None:
            settings = [word for name, value in SETTINGS.items() for word in ("-c", f"{name}={value}")]
            command = [self._binaries / "postgres", "-D", self._data, "-p", str(self.port), *settings]
            with (self.folder / "log").open("ab") as log:
                self._process = subprocess.Popen(command, stdout=log, stderr=log, **self._as_user())
        # It listens before it has recovered from a crash, and says so.
        with suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1):
            ready = [self._binaries / "pg_isready", "-q", "-h", "127.0.0.1", "-p", str(self.port)]
            return subprocess.run(ready, check=False).returncode == 0
        return False

    def _as_user(self) -> dict[str, Any]:
        user = {"user": "nobody", "group": "nogroup"} if os.geteuid() == 0 else {}
        return {"cwd": self.folder, **user}


def _binaries() -> Path | None:
    on_path = shutil.which("postgres")
    debian = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"))
    found = Path(on_path) if on_path else debian[-1] if debian else None
    return found.resolve().parent if found else None
