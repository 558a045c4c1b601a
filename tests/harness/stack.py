"""What a test may do with a running deployment, whatever it runs on."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Protocol

from prove.parts import Parts


class Site(Protocol):
    """What answers at an address."""

    base_url: str


class Stack(Site, Protocol):
    """A whole deployment; its `parts` are what a fault is done to."""

    @property
    def parts(self) -> Parts:
        """Its services, one by one."""

    def start(self) -> None:
        """Starts everything; returns when it is healthy."""

    def stop(self) -> None:
        """Stops everything and removes all of it, the data too."""

    def recreate(self, service: str) -> None:
        """Replaces the service's processes, as a deploy does; returns when they are healthy."""

    def scale(self, service: str, replicas: int) -> None:
        """Starts or stops replicas of `asgi`; returns when they are healthy."""

    def logs(self, service: str) -> str:
        """All that the service wrote so far."""

    def redis_cli(self, *arguments: str) -> str:
        """Asks Redis as the operator's user `admin`."""

    def backup(self, folder: Path) -> str:
        """`make backup`; what it says."""

    def restore(self, file: Path, folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
        """`make restore`; nobody is there to be asked."""
