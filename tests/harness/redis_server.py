"""Redis by itself, with the deployment's configuration, users and secrets."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

from corkboard.pool import BREAK_SECONDS
from local import binaries
from local.settings import ROOT
from redis import Redis, RedisError
from tests.harness.clients import wait_for
from tests.harness.local import free_port


class RedisServer:
    """A server on a port of its own, in a folder that goes with it. `app_env` is for CORKBOARD_ENV_FILE."""

    def __init__(self, options: Sequence[str] = ("--appendfsync", "no")) -> None:
        self.port = free_port()
        self.folder = Path(tempfile.mkdtemp(prefix="corkboard-redis-")).resolve()
        self.app_env = self.folder / "app.env"
        self._options = options
        self._process: subprocess.Popen[bytes] | None = None
        script = ROOT / "redis" / "secrets.sh"
        subprocess.run(["sh", script, self.folder, f"127.0.0.1:{self.port}", self.app_env], check=True)
        (self.folder / "data").mkdir()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    def start(self) -> None:
        """Starts it; returns when it answers."""
        words = [
            *(
                binaries.redis(),
                ROOT / "redis" / "redis.conf",
                "--bind",
                "127.0.0.1",
                "--port",
                str(self.port),
            ),
            *("--dir", self.folder / "data", "--aclfile", self.folder / "redis" / "users.acl"),
        ]
        self._process = subprocess.Popen([*words, *self._options], stdout=subprocess.DEVNULL)
        probe = Redis(port=self.port, username="health", socket_timeout=1)
        wait_for(lambda: _answers(probe), "the server")

    def url(self, port: int | None = None) -> str:
        """As REDIS_URL has it. `port`: of something in front."""
        return f"redis://127.0.0.1:{port or self.port}/0"

    @property
    def pid(self) -> int:
        """Of the running process."""
        assert self._process
        return self._process.pid

    def kill(self) -> None:
        """SIGKILL; the data stays."""
        if self._process:
            self._process.kill()
            self._process.wait(30)

    def freeze(self) -> None:
        """It keeps its connections and does not answer."""
        assert self._process
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """The end of `freeze`."""
        assert self._process
        self._process.send_signal(signal.SIGCONT)

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """Freezes it for a while, and waits until the kit of this process asks it again."""
        self.freeze()
        try:
            yield
        finally:
            self.thaw()
            time.sleep(BREAK_SECONDS)

    def client(self, user: str = "admin") -> Redis:
        """A client as one of the users: admin, app or asgi."""
        file = "redis/admin_password" if user == "admin" else f"{user}/redis_password"
        password = (self.folder / file).read_text()
        return Redis(port=self.port, username=user, password=password, socket_timeout=30)

    def events(self, topic: str) -> list[dict[str, Any]]:
        """All events that the topic keeps."""
        entries: Any = self.client().xrange(f"stream:{{{topic}}}")
        return [json.loads(fields[b"event"]) for _, fields in entries]


def _answers(probe: Redis) -> bool:
    try:
        return bool(probe.ping())
    except RedisError:
        return False
