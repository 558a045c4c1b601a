"""What a test may do with a running deployment, whatever it runs on."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Protocol


class Stack(Protocol):
    """A whole deployment. A service is one of redis, wsgi, asgi, nginx."""

    base_url: str

    def start(self) -> None:
        """Starts everything; returns when it is healthy."""

    def stop(self) -> None:
        """Stops everything and removes all of it, the data too."""

    def kill(self, service: str) -> None:
        """SIGKILL to one process: Gunicorn's master for `wsgi`, one of its workers for `wsgi-worker`."""

    def recreate(self, service: str) -> None:
        """Replaces the service's processes, as a deploy does; returns when they are healthy."""

    def scale(self, service: str, replicas: int) -> None:
        """Starts or stops replicas of `asgi`; returns when they are healthy."""

    def pause(self, service: str) -> None:
        """Freezes the service: its connections stay open, and nothing answers."""

    def unpause(self, service: str) -> None:
        """Lets a frozen service go on."""

    def logs(self, service: str) -> str:
        """All that the service wrote so far."""

    def redis_cli(self, *arguments: str) -> str:
        """Asks Redis as the operator's user `admin`."""

    def backup(self, folder: Path) -> str:
        """`make backup`; what it says."""

    def restore(self, file: Path, folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
        """`make restore`; nobody is there to be asked."""
