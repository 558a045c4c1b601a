"""`make loadtest`: Locust against the running stack, or against one that is started for the test."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from io import StringIO

from loadtest import http, target
from local import commands, settings
from local.errors import LocalError
from local.settings import ROOT, Settings
from local.state import State

RESULTS = ROOT / "loadtest" / "results"
# All simulated clients share one address, so the limits per client address would apply to all of them.
UNLIMITED = {"RATE_LIMIT": "0", "MAX_REQUESTS_PER_CLIENT": "0", "MAX_SOCKETS_PER_CLIENT": "8000"}


def main(arguments: list[str]) -> int:
    """Runs Locust. Returns 0 if all is well, 1 if a threshold was missed, 2 if it could not run."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    try:
        with _host(settings.load()) as host:
            return _locust(host, arguments)
    except LocalError as error:
        print(error, file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130


@contextmanager
def _host(found: Settings) -> Iterator[str]:
    """The URL of the stack. One that is started here is removed with its data after the block."""
    given = found.environment.get("HOST", "").rstrip("/")
    host = given or f"http://localhost:{found.http_port}"
    if not host.startswith(("http://", "https://")):
        raise LocalError(f"HOST={given!r} is invalid: expected a URL that begins with http:// or https://")
    problem = _not_ready(host)
    if problem is None:
        print(f"Using the stack that runs at {host}", flush=True)
        yield host
    elif given or not isinstance(problem, ConnectionError):
        raise LocalError(f"{host} is not ready for a load test: {problem}") from None
    else:
        with _own_stack(found):
            yield host


def _not_ready(host: str) -> OSError | None:
    try:
        for path in target.READY:
            http.get_json(host, path)
    except http.Refused as error:
        return OSError(f"{path} answers {error}")
    except ValueError:
        return OSError(f"{path} is not answered with JSON: another program listens there")
    except OSError as error:
        return error
    return None


@contextmanager
def _own_stack(found: Settings) -> Iterator[None]:
    # On the same disk as the stack of `make up`, because the cost of a write depends on it.
    state = State(ROOT / ".corkboard" / "loadtest")
    try:
        environment = found.environment | UNLIMITED
        commands.up(found.model_copy(update={"app": "", "rate_limit": 0, "environment": environment}), state)
        yield
    finally:
        with redirect_stdout(StringIO()):  # the verdict comes last
            commands.down(state)
        shutil.rmtree(state.root, ignore_errors=True)


def _locust(host: str, arguments: list[str]) -> int:
    folder = RESULTS / time.strftime("%Y-%m-%d-%H%M%S")
    command = [
        *(sys.executable, "-m", "locust", "--config", "loadtest/locust.conf", "--headless", "--host", host),
        # By default half of the cores; the others are for the stack.
        *("--processes", os.environ.get("LOCUST_PROCESSES") or str(max(1, (os.cpu_count() or 1) // 2))),
        *("--html", str((folder / "report.html").relative_to(ROOT)), "--csv", str(folder / "stats")),
        *arguments,
    ]
    process = subprocess.Popen(command, cwd=ROOT)
    while True:
        try:
            return process.wait()
        except KeyboardInterrupt:  # in a terminal Locust receives it as well, elsewhere it does not
            process.send_signal(signal.SIGINT)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
