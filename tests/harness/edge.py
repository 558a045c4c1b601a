"""nginx alone, with the project's configuration, in front of an app that the test chooses."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self

import httpx

from local import binaries, render
from local.settings import ROOT
from tests.harness.clients import wait_for
from tests.harness.local import free_port


class Edge:
    """nginx with SITE=app before `app`; the settings are nginx's own, as MAX_BODY."""

    def __init__(self, app: str, sidecar: str = "127.0.0.1:9", **settings: str) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="corkboard-edge-")).resolve()
        self.port = free_port()
        self.base_url = f"http://127.0.0.1:{self.port}"
        self._log = (self.folder / "nginx.log").open("wb")
        own = {"NGINX_PORT": str(self.port), "NGINX_RUN_DIR": str(self.folder), "STATIC_DIR": "/nowhere"}
        render.render(
            self.folder, own | {"SITE": "app", "APP_SERVER": app, "ASGI_SERVERS": sidecar, **settings}
        )
        user = " user root;" if os.getuid() == 0 else ""
        self._nginx = subprocess.Popen(
            [
                *(binaries.nginx(), "-e", "stderr", "-p", str(self.folder)),
                *("-c", str(self.folder / "nginx.conf"), "-g", f"daemon off;{user}"),
            ],
            stdout=self._log,
            stderr=subprocess.STDOUT,
        )

    def __enter__(self) -> Self:
        wait_for(lambda: self.get("/ws/nginx/healthz").status_code == 200, "nginx to answer")
        return self

    def stop(self) -> None:
        """Ends nginx; its log can still be read."""
        self._nginx.terminate()
        self._nginx.wait(10)

    def __exit__(self, *_: object) -> None:
        self.stop()
        self._log.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def get(self, path: str, **headers: str) -> httpx.Response:
        """One GET; an underscore in a header's name stands for a dash."""
        return self.request("GET", path, **headers)

    def request(self, method: str, path: str, content: bytes | None = None, **headers: str) -> httpx.Response:
        """One request on a connection of its own."""
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        url = self.base_url + path
        with httpx.Client(trust_env=False, timeout=30) as client:
            return client.request(method, url, content=content, headers=sent)

    def log(self) -> str:
        """What nginx wrote so far."""
        return (self.folder / "nginx.log").read_text()


@contextmanager
def foreign_app(kind: str = "werkzeug", port: int | None = None) -> Iterator[int]:
    """tests/harness/foreign_app.py in a server of that kind, ready; its port."""
    port = port or free_port()
    command = [sys.executable, "-m", "tests.harness.foreign_app", kind, str(port)]
    if kind == "gunicorn":
        options = ["--bind", f"127.0.0.1:{port}", "--threads", "8", "--log-level", "error"]
        command = [sys.executable, "-m", "gunicorn", *options, "tests.harness.foreign_app:app"]
    server = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        with httpx.Client(trust_env=False) as client:
            wait_for(lambda: client.get(f"http://127.0.0.1:{port}/").status_code == 200, f"{kind} to answer")
        yield port
    finally:
        server.terminate()
        server.wait(15)
