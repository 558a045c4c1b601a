"""The parts of a stack in containers."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from prove.parts import answers

# The service's main process is the first child of the container's init. It may be killed from inside only: a
# container that `docker kill` ended counts as stopped on purpose and is not started again.
MAIN = "read -r victim _ < /proc/1/task/1/children; "
WORKER = MAIN + 'read -r victim _ < "/proc/$victim/task/$victim/children"; '
KILL = 'kill -KILL "$victim"'
STOP = 'kill -STOP "$victim"'
CONTINUE = 'kill -CONT "$victim"'
# The kernel takes the process that says that it minds least. `tail` keeps what has no line end.
WORKERS = MAIN + 'cat "/proc/$victim/task/$victim/children"'
EXHAUST = 'echo 1000 > "/proc/$victim/oom_score_adj" && head -c 4G /dev/zero | tail | wc -c'
PATIENCE_SECONDS = 60.0


class ComposeParts:
    """The containers of one project.

    Args:
        compose: runs `docker compose` for it; its standard output. With `check=False` it may fail.
        base_url: where nginx is.
        root: the project's folder.
    """

    def __init__(self, compose: Callable[..., str], base_url: str, root: Path) -> None:
        self.compose = compose
        self.base_url = base_url
        self._root = root
        self._cut: list[tuple[str, str]] = []  # network, container

    def kill(self, service: str) -> None:
        """As `Parts.kill`, in one container."""
        self._in(service, (WORKER if service == "wsgi-worker" else MAIN) + KILL)

    def freeze(self, service: str, one: bool = False) -> None:
        """As `Parts.freeze`."""
        if one:
            self._in(service, MAIN + STOP)
        else:
            self.compose("pause", service)

    def thaw(self, service: str) -> None:
        """As `Parts.thaw`."""
        for container in self._ids(service):
            if _docker("inspect", "--format={{.State.Paused}}", container) == "true":
                _docker("unpause", container)
        self._in(service, MAIN + CONTINUE)

    def restart(self, service: str) -> None:
        """As `Parts.restart`."""
        self.compose("restart", service)
        self._wait()

    def recreate(self, service: str) -> None:
        """As `Parts.recreate`."""
        self.compose("up", "--force-recreate", "--no-deps", "--wait", service)

    def deploy(self, service: str) -> None:
        """As `Parts.deploy`."""
        workers = self._workers() if service == "nginx" else set()
        subprocess.run(
            ["sh", "ops/deploy.sh", service],
            cwd=self._root,
            env={**os.environ, "FORCE": "yes"},
            check=True,
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
        )
        self._until(lambda: not workers & self._workers(), "nginx' old workers have not ended")

    def reload(self) -> None:
        """As `Parts.reload`."""
        workers = self._workers()
        self.compose("exec", "--no-TTY", "nginx", "nginx", "-c", "/run/nginx/nginx.conf", "-s", "reload")
        self._until(lambda: not workers & self._workers(), "nginx' old workers have not ended")

    def cut(self) -> None:
        """As `Parts.cut`: the sidecars' containers leave the network."""
        containers = self._ids("asgi")
        shown = _docker(
            "inspect",
            "--format={{range $name, $_ := .NetworkSettings.Networks}}{{$name}} {{end}}",
            self._ids("redis")[0],
        )
        for network in shown.split():
            for container in containers:
                _docker("network", "disconnect", network, container)
                self._cut.append((network, container))

    def mend(self) -> None:
        """As `Parts.mend`."""
        while self._cut:
            _docker("network", "connect", "--alias", "asgi", *self._cut.pop())

    def exhaust(self, service: str) -> None:
        """As `Parts.exhaust`: a process beside the service takes all memory of the container."""
        self._in(service, (WORKER if service == "wsgi-worker" else MAIN) + EXHAUST)

    def redis_cli(self, *arguments: str) -> str:
        """As `Parts.redis_cli`."""
        script = 'REDISCLI_AUTH=$(cat /run/secrets/admin_password) exec redis-cli --user admin "$@"'
        return self.compose("exec", "--no-TTY", "redis", "sh", "-c", script, "sh", *arguments).rstrip("\n")

    def _in(self, service: str, script: str) -> str:
        # The container, and with it the shell, may end with its main process.
        name = service.removesuffix("-worker")
        return self.compose("exec", "--no-TTY", name, "bash", "-c", script, check=False)

    def _workers(self) -> set[str]:
        return set(self._in("nginx", WORKERS).split())

    def _ids(self, service: str) -> list[str]:
        return self.compose("ps", "--quiet", service).split()

    def _wait(self) -> None:
        ready = [self.base_url + path for path in ("/readyz", "/ws/readyz")]
        self._until(lambda: all(map(answers, ready)), f"{self.base_url} is not ready")

    def _until(self, condition: Callable[[], bool], what: str) -> None:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not condition():
            if time.monotonic() > deadline:
                raise RuntimeError(f"{what} after {PATIENCE_SECONDS:.0f} s")
            time.sleep(0.1)


def _docker(*arguments: str) -> str:
    return subprocess.run(["docker", *arguments], check=True, capture_output=True, text=True).stdout.strip()
