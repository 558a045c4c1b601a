"""Where one running stack keeps its things: `.corkboard/`, or another folder for a second stack."""

from __future__ import annotations

import hashlib
import json
import os
import random
import socket
import tempfile
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from local.errors import LocalError

# Below what Linux and macOS give to outgoing connections: nothing takes the port of a restarting service.
INNER_PORTS = range(20_000, 32_000)
# sun_path holds 104 bytes on macOS, 108 on Linux.
SOCKET_PATH_BYTES = 100


@dataclass(frozen=True)
class State:
    """The folders of one stack. `redis` is the data: the only one that must never be lost."""

    root: Path

    @property
    def redis(self) -> Path:
        return self.root / "redis"

    @property
    def secrets(self) -> Path:
        return self.root / "secrets"

    @property
    def app_env(self) -> Path:
        """What an app needs in order to publish, as KEY=VALUE lines."""
        return self.root / "app.env"

    @property
    def app(self) -> str:
        """The address of the app that the running stack is in front of; empty for the demo."""
        file = self.run / "app"
        return file.read_text() if file.exists() else ""

    @property
    def run(self) -> Path:
        return self.root / "run"

    @property
    def static(self) -> Path:
        """What nginx serves of the demo's scripts and styles."""
        return self.run / "static"

    @property
    def logs(self) -> Path:
        return self.root / "logs"

    @property
    def socket(self) -> Path:
        """Supervisor's control socket."""
        return self._short("supervisor.sock") / "supervisor.sock"

    @property
    def sockets(self) -> Path:
        """Has a folder for each service that nginx asks by a socket."""
        return self._short("asgi-32/next-01234567.sock")

    def _short(self, longest: str) -> Path:
        # The path of a socket must be short.
        key = hashlib.sha256(str(self.root).encode()).hexdigest()[:12]
        for base in (tempfile.gettempdir(), "/tmp"):  # noqa: S108 - the folder made there is checked
            path = Path(base) / f"corkboard-{os.getuid()}-{key}"
            if len(os.fsencode(path / longest)) < SOCKET_PATH_BYTES:
                return path
        raise LocalError(f"{tempfile.gettempdir()} is too long for a socket path; set a shorter TMPDIR")

    @property
    def temporary(self) -> Path:
        """The apps' TMPDIR, emptied before each start: what was killed could not clean up."""
        return self.run / "tmp"

    def log(self, service: str) -> Path:
        return self.logs / f"{service}.log"

    def make(self) -> None:
        """Makes the folders, for their owner only.

        Raises:
            LocalError: a folder cannot be made, or the socket's belongs to somebody else.
        """
        if "%" in f"{self.root}{__file__}":
            raise LocalError(f"Supervisor cannot handle the % in the path {self.root}; use another folder")
        try:
            for folder in (self.root, self.redis, self.secrets, self.run, self.logs, self.temporary):
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            (self.root / ".gitignore").write_text("*\n")
            for folder in (self.socket.parent, self.sockets):
                folder.mkdir(mode=0o700, exist_ok=True)
        except OSError as error:
            raise LocalError(f"cannot make {error.filename}: {error.strerror}") from None
        for folder in (self.socket.parent, self.sockets):
            owner = folder.lstat()
            if owner.st_uid != os.getuid() or owner.st_mode & 0o077:
                raise LocalError(f"{folder} is open to other users; remove it and try again")

    def ports(self, services: list[str], running: bool) -> dict[str, int]:
        """A port for each service: the one it had, when it runs or when the port is still free."""
        file = self.run / "ports.json"
        kept: dict[str, int] = json.loads(file.read_text()) if file.exists() else {}
        ports: dict[str, int] = {}
        for service in services:
            port = kept.get(service)
            if port is None or not (running or is_free("127.0.0.1", port)):
                port = free_port(exclude={*kept.values(), *ports.values()})
            ports[service] = port
        if not ports.items() <= kept.items():
            # At once: another command may be reading it.
            new = file.with_suffix(f".{os.getpid()}")
            new.write_text(json.dumps({**kept, **ports}))
            new.replace(file)
        return ports


def is_free(host: str, port: int) -> bool:
    """Whether a server could listen there now.

    Raises:
        PermissionError: the port is one for root only.
    """
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
            probe.listen(1)
        except PermissionError:
            raise
        except OSError:
            return False
    return True


def free_port(exclude: Collection[int] = ()) -> int:
    """A port that nobody listens on now.

    Raises:
        LocalError: there is none.
    """
    candidates = random.sample(INNER_PORTS, k=200)
    for port in candidates:
        if port not in exclude and is_free("127.0.0.1", port):
            return port
    raise LocalError(f"no free port between {INNER_PORTS.start} and {INNER_PORTS.stop}")
