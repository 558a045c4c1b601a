"""Sidecar processes on a Redis of their own, and nothing else."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Self

from local.settings import ROOT
from tests.harness.clients import http, wait_for
from tests.harness.local import free_port
from tests.harness.redis_cluster import RedisCluster
from tests.harness.redis_server import RedisServer

KEY = "x" * 32


class LoneSidecar:
    """One of them. Like a stack it has a `base_url`. It finds Redis at `port`, or at that of the server."""

    def __init__(self, server: RedisServer | RedisCluster, port: int | None = None, **settings: str) -> None:
        own = free_port()
        self.base_url = f"http://127.0.0.1:{own}"
        self._environment = {
            "PATH": os.environ["PATH"],
            "REDIS_URL": server.url(port),
            "REDIS_PASSWORD_FILE": str(server.folder / "asgi" / "redis_password"),
            "SECRET_KEY": KEY,
            "ASGI_HOST": "127.0.0.1",
            "ASGI_PORT": str(own),
            "DRAIN_SECONDS": "0",
            **settings,
        }

    def __enter__(self) -> Self:
        self.start()
        self.wait_until_ready()
        return self

    def __exit__(self, *_: object) -> None:
        self.process.terminate()
        self.process.wait(30)

    def start(self) -> None:
        """Starts it; waits for nothing."""
        command = [sys.executable, "-m", "asgi_app"]
        self.process = subprocess.Popen(command, cwd=ROOT, env=self._environment)

    def wait_until_ready(self) -> None:
        """Returns when it serves clients."""
        with http(self) as client:  # type: ignore[arg-type]
            wait_for(lambda: client.get("/ws/readyz").status_code == 200, "the sidecar")
