"""The deployment in real containers: from a clone, and under a project name and a port, of its own."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any, Self

from local.settings import ROOT, load
from local.table import documented
from prove.compose_parts import ComposeParts
from tests.harness.local import free_port


@cache
def engine_missing() -> str | None:
    """Why containers cannot be run here, in one line; None when they can."""
    for command, what in (
        (["docker", "compose", "version"], "no Docker Compose"),
        (["docker", "info"], "no Docker engine answers"),
    ):
        try:
            subprocess.run(command, check=True, capture_output=True, timeout=60)
        except (OSError, subprocess.SubprocessError):
            return f"{what} (`{' '.join(command)}` fails)"
    return None


def clone(target: Path) -> None:
    """Copies this working tree as `git clone` does it under a strict umask: for the owner only."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    )
    for name in filter(None, listed.stdout.split("\0")):
        source, copy = ROOT / name, target / name
        if source.is_file():
            copy.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            shutil.copyfile(source, copy)
            copy.chmod(source.stat().st_mode & 0o700)
    for folder in (target, *(path for path in target.rglob("*") if path.is_dir())):
        folder.chmod(0o700)


def example(target: Path) -> None:
    """Makes the project of examples/compose, with a clone in it, as its README says."""
    clone(target / "corkboard")
    shutil.copytree(ROOT / "examples" / "compose", target, dirs_exist_ok=True)
    if "CA_BUNDLE" in load().environment:
        # What its owner would do behind a proxy that intercepts TLS.
        dockerfile = target / "Dockerfile"
        intercepted = "--mount=type=secret,id=ca,target=/ca.pem PIP_CERT=/ca.pem pip install"
        dockerfile.write_text(dockerfile.read_text().replace("pip install", intercepted))
        (target / "compose.override.yaml").write_text("services: {web: {build: {secrets: [ca]}}}")


class ComposeStack:
    """One deployment; `environment` holds settings as they could stand in `.env`.

    Args:
        environment: settings.
        prepare: makes the project's folder.
        env_file: the project's `.env`; none when absent.
    """

    def __init__(
        self,
        environment: Mapping[str, str] | None = None,
        prepare: Callable[[Path], None] = clone,
        env_file: str = os.devnull,
    ) -> None:
        self.root = Path(tempfile.mkdtemp(prefix="corkboard-test-")).resolve()
        prepare(self.root)
        self._command = ["docker", "compose", "--ansi=never", f"--env-file={env_file}"]
        self.project = f"corkboard-test-{secrets.token_hex(4)}"
        port = free_port()
        self.base_url = f"http://127.0.0.1:{port}"
        self.parts = ComposeParts(self.compose, self.base_url, self.root)
        # What is set on this machine must not decide a test; only how to reach PyPI from here is taken over.
        self.environment = {name: value for name, value in os.environ.items() if name not in documented()}
        self.environment |= {
            "CA_BUNDLE": load().environment.get("CA_BUNDLE", ""),
            "HTTP_PORT": str(port),
            "RATE_LIMIT": "0",
            **(environment or {}),
        }

    def __enter__(self) -> Self:
        try:
            self.build()
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def compose(self, *arguments: str, check: bool = True) -> str:
        """Runs `docker compose`; its standard output.

        Raises:
            AssertionError: it failed; with what it wrote.
        """
        result = subprocess.run(
            [*self._command, f"--project-name={self.project}", *arguments],
            cwd=self.root,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
        )
        if check and result.returncode:
            said = "\n".join((result.stdout + result.stderr).splitlines()[-40:])
            raise AssertionError(f"docker compose {' '.join(arguments)} failed:\n{said}")
        return result.stdout

    def build(self) -> None:
        """Makes the images. A second time when it fails, for packages come over the network."""
        try:
            self.compose("build")
        except AssertionError:
            self.compose("build")

    def start(self) -> None:
        """Starts everything; returns when it is healthy."""
        try:
            self.compose("up", "--no-build", "--wait", "--quiet-pull")
        except AssertionError as failure:
            raise AssertionError(f"{failure}\n{self.compose('logs', '--tail=30', check=False)}") from None

    def stop(self) -> None:
        """Stops everything and removes all of it: containers, networks, volumes, images, the clone."""
        self.compose("down", "--volumes", "--remove-orphans", "--rmi=local", "--timeout=3", check=False)
        shutil.rmtree(self.root, ignore_errors=True)

    def upgrade(self) -> None:
        """What the README says to do after `git pull`: builds again and replaces what has changed."""
        self.compose("up", "--build", "--wait", "--quiet-pull")

    def deploy(self, *services: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """`make deploy`, of some services or of all that have changed.

        Raises:
            AssertionError: it failed; with what it wrote.
        """
        running = self.start_deploy(*services)
        output, errors = running.communicate()
        if check and running.returncode:
            raise AssertionError(f"the deploy failed:\n{output[-3000:]}{errors[-3000:]}")
        return subprocess.CompletedProcess(running.args, running.returncode, output, errors)

    def start_deploy(self, *services: str) -> subprocess.Popen[str]:
        """The same in a process group of its own, without waiting for it."""
        return subprocess.Popen(
            ["sh", "ops/deploy.sh", *services],
            cwd=self.root,
            env={**self.environment, "COMPOSE_PROJECT_NAME": self.project},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def recreate(self, service: str) -> None:
        """Replaces the service's processes, as a deploy does; returns when they are healthy."""
        self.parts.recreate(service)

    def scale(self, service: str, replicas: int) -> None:
        """Starts or stops replicas of the service until there are so many; returns when they are healthy."""
        self.compose("up", "--no-recreate", "--no-deps", "--wait", f"--scale={service}={replicas}", service)

    def logs(self, service: str) -> str:
        """All that the service's containers wrote so far."""
        # Some versions of Compose begin every line with the terminal's "erase this line".
        return self.compose("logs", "--no-log-prefix", service).replace("\x1b[2K", "")

    def exec(self, service: str, *command: str, check: bool = True) -> str:
        """Runs a command in a container of the service, as the service's user; its standard output."""
        return self.compose("exec", "--no-TTY", service, *command, check=check)

    def redis_cli(self, *arguments: str) -> str:
        """Asks Redis as the operator's user `admin`; the answer, without the line end."""
        password = self.exec("redis", "cat", "/run/secrets/admin_password")
        return self.redis_cli_as("admin", password, *arguments)

    def redis_cli_as(self, user: str, password: str, *arguments: str) -> str:
        """Asks Redis as any user; the answer, errors included."""
        return self.exec(
            "redis", "redis-cli", "--user", user, "--pass", password, "--no-auth-warning", *arguments
        ).rstrip("\n")

    def ops(self, name: str, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Runs a script of ops/, as the Makefile does; nobody is there to be asked."""
        return subprocess.run(
            ["sh", f"ops/{name}.sh", *arguments],
            cwd=self.root,
            env={**self.environment, "COMPOSE_PROJECT_NAME": self.project, **environment},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )

    def backup(self, folder: Path) -> str:
        """`make backup`; what it says."""
        result = self.ops("backup", str(folder))
        assert result.returncode == 0, result.stdout + result.stderr
        return result.stdout

    def restore(self, file: Path, folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
        """`make restore`."""
        return self.ops("restore", str(file), str(folder), **environment)

    def containers(self) -> dict[str, dict[str, Any]]:
        """Everything that the engine knows of each container, by the container's name."""
        ids = self.compose("ps", "--all", "--quiet").split()
        answer = subprocess.run(["docker", "inspect", *ids], check=False, capture_output=True, text=True)
        # One may have gone since it was listed; the others are told all the same.
        assert not answer.returncode or "no such object" in answer.stderr.lower(), answer.stderr
        return {container["Name"].strip("/"): container for container in json.loads(answer.stdout)}
