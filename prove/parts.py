"""What a fault may do to the parts of a running stack, whatever they run on."""

from __future__ import annotations

from typing import Protocol

import httpx

# A service is one of redis, wsgi, asgi, nginx; `wsgi-worker` is one of Gunicorn's workers.
SERVICES = ("wsgi", "asgi", "nginx", "redis")


class NotHere(Exception):
    """The fault needs something that this machine or this stack does not have; the message says what."""


class Broken(Exception):
    """The fault itself found that a promise is broken; the message says which."""


class Parts(Protocol):
    """A running stack, part by part."""

    base_url: str

    def kill(self, service: str) -> None:
        """SIGKILL to one process: Gunicorn's master for `wsgi`, one sidecar for `asgi`."""

    def freeze(self, service: str, one: bool = False) -> None:
        """Stops the service without ending it: its connections stay open, and nothing answers.

        Args:
            one: only the main process of one of several sidecars, as when its event loop is blocked.
        """

    def thaw(self, service: str) -> None:
        """Lets everything frozen of the service go on."""

    def restart(self, service: str) -> None:
        """Stops the service as gently as it can, and starts it; returns when it is healthy."""

    def recreate(self, service: str) -> None:
        """Stops the service's processes and starts new ones; returns when they are healthy."""

    def deploy(self, service: str) -> None:
        """As `make deploy` replaces a service that has changed; nginx' old workers have ended then."""

    def reload(self) -> None:
        """Lets nginx read its configuration anew; returns when the old workers have ended."""

    def cut(self) -> None:
        """The network between the sidecars and Redis swallows everything: nobody is told.

        Raises:
            NotHere: only root may do that.
        """

    def mend(self) -> None:
        """Undoes `cut`; harmless without."""

    def exhaust(self, service: str) -> None:
        """Lets the service's memory run out, so that the kernel kills a process.

        Raises:
            NotHere: there is no limit that could be reached.
        """

    def redis_cli(self, *arguments: str) -> str:
        """Asks Redis as the operator's user `admin`; the answer, without the line end."""


def answers(url: str) -> bool:
    """Whether it is answered with 200."""
    try:
        return httpx.get(url, timeout=3, trust_env=False).status_code == 200
    except httpx.HTTPError:
        return False
