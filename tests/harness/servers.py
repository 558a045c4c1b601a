"""Bare servers on ports of their own, which a test may kill and start again: Redis and PostgreSQL."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

import psutil
from redis.backoff import NoBackoff
from redis.retry import Retry

import redis
from local import binaries
from tests.harness.clients import wait_for
from tests.harness.local import free_port

# Whatever else this machine writes: processes are killed here, not the power cut.
MEMORY = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None  # noqa: S108


class Server:
    """A process with data in a temporary folder."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="corkboard-test-", dir=MEMORY)).resolve()
        self.port = free_port()
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    def start(self) -> None:
        """Starts it, and returns when it answers."""
        try:
            wait_for(self._started, f"{type(self).__name__} answers")
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
            with (self.folder / "log").open("ab") as log:
                self._process = subprocess.Popen(self.command(), stdout=log, stderr=log, **self.options())
        return self.answers()

    def command(self) -> list[str]:
        """What starts the server."""
        raise NotImplementedError

    def options(self) -> dict[str, Any]:
        """For subprocess.Popen."""
        return {"start_new_session": True}

    def answers(self) -> bool:
        """Whether it is ready."""
        raise NotImplementedError


class RedisServer(Server):
    """Redis, which has every write on disk before it answers."""

    @property
    def url(self) -> str:
        """For CORKBOARD_URL."""
        return f"redis://127.0.0.1:{self.port}/0"

    @property
    def client(self) -> redis.Redis:
        """A client of its own."""
        return redis.Redis(port=self.port, decode_responses=True, retry=Retry(NoBackoff(), 0))

    def freeze(self) -> None:
        """It keeps its connections and does not answer."""
        assert self._process
        os.kill(self._process.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        """The end of `freeze`."""
        assert self._process
        os.kill(self._process.pid, signal.SIGCONT)

    def command(self) -> list[str]:
        folder, port = str(self.folder), str(self.port)
        settings = ["--save", "", "--appendonly", "yes", "--appendfsync", "always"]
        return [binaries.redis(), "--bind", "127.0.0.1", "--port", port, "--dir", folder, *settings]

    def answers(self) -> bool:
        with suppress(redis.RedisError):
            return bool(self.client.ping())
        return False


def postgres_missing() -> str:
    """Why there can be no PostgreSQL here; empty when there can."""
    return "" if _postgres_binaries() else "PostgreSQL is not installed (Debian: apt-get install postgresql)"


class PostgresServer(Server):
    """PostgreSQL, with one database. It refuses to run as root, so root runs it as another user."""

    def __init__(self) -> None:
        super().__init__()
        found = _postgres_binaries()
        assert found, postgres_missing()
        self._binaries = found
        if os.geteuid() == 0:
            self.folder.chmod(0o711)
            shutil.chown(self.folder, "nobody", "nogroup")
        data = str(self.folder / "data")
        make = [
            str(found / "initdb"),
            "--no-sync",
            "--auth=trust",
            "--username=app",
            "--encoding=UTF8",
            "-D",
            data,
        ]
        subprocess.run(make, check=True, capture_output=True, cwd=self.folder, **self._user())
        self._data = data

    @property
    def url(self) -> str:
        """Of its database."""
        return f"postgresql://app@127.0.0.1:{self.port}/postgres"

    def command(self) -> list[str]:
        settings = {
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": "",
            "max_connections": "50",
            "shared_buffers": "16MB",
        }
        given = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        return [str(self._binaries / "postgres"), "-D", self._data, "-p", str(self.port), *given]

    def options(self) -> dict[str, Any]:
        return {**super().options(), "cwd": self.folder, **self._user()}

    def answers(self) -> bool:
        # It listens before it has recovered from a crash, and says so.
        with suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1):
            ready = [str(self._binaries / "pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(self.port)]
            return subprocess.run(ready, check=False).returncode == 0
        return False

    @staticmethod
    def _user() -> dict[str, Any]:
        return {"user": "nobody", "group": "nogroup"} if os.geteuid() == 0 else {}


def _postgres_binaries() -> Path | None:
    on_path = shutil.which("postgres")
    debian = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"))
    found = Path(on_path) if on_path else debian[-1] if debian else None
    return found.resolve().parent if found else None
