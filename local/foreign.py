"""An app that runs already: whether its address is right, whether it answers, and what it must know."""

from __future__ import annotations

import shlex
import socket

from local.errors import LocalError
from local.settings import ROOT, Settings
from local.state import State

THIS_MACHINE = ("localhost", "127.0.0.1", "0.0.0.0", "::1")


def check(settings: Settings) -> None:
    """Looks the app's host up. The app itself need not run yet.

    Raises:
        LocalError: there is no such host, or the address is Corkboard's own.
    """
    host, port = _host_and_port(settings.app)
    if port == settings.http_port and host in THIS_MACHINE:
        raise LocalError(
            f"APP={settings.app} is where Corkboard itself listens; give it another port, as in: "
            f"HTTP_PORT={port % 65535 + 1} make up APP={settings.app}",
            code=2,
        )
    try:
        socket.getaddrinfo(host, port)
    except OSError:
        raise LocalError(f"APP is invalid: there is no host {host!r}", code=2) from None


def answers(app: str) -> bool:
    """Whether something listens at the app's address."""
    try:
        socket.create_connection(_host_and_port(app), timeout=2).close()
    except OSError:
        return False
    return True


def next_steps(settings: Settings, state: State) -> str:
    """What to do in the app's shell, and whether the app is there."""
    lines = [
        "In your app's shell, before it starts:",
        f"  pip install {shlex.quote(str(ROOT / 'corkboard'))}",
        f"  export CORKBOARD_ENV_FILE={shlex.quote(str(state.app_env))}",
    ]
    if not answers(settings.app):
        lines.append(f"{settings.app} does not answer yet; start your app when you like.")
    lines.append("Back to the demo: make down, and make up without APP.")
    return "\n".join(lines)


def _host_and_port(app: str) -> tuple[str, int]:
    host, _, port = app.removeprefix("http://").rpartition(":")
    return host.strip("[]"), int(port)
