"""A Swarm of three machines on this one: containers with an engine each, a registry, and the stack."""

from __future__ import annotations

import os
import secrets
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Self

from local.settings import ROOT, load
from local.table import documented
from tests.harness.clients import wait_for
from tests.harness.compose import clone

IMAGE = "corkboard-swarm-node"
# Debian's wants a password.
REGISTRY = (
    "sed '/^auth:/,/path:/d' /etc/docker/registry/config.yml > /tmp/config.yml && "
    "exec docker-registry serve /tmp/config.yml"
)
START_SECONDS = 120.0


class Machine:
    """One of them: an engine that is a manager of the Swarm."""

    def __init__(self, name: str, address: str) -> None:
        self.name, self.address = name, address
        self.base_url = f"http://{address}:8080"

    def docker(self, *arguments: str, check: bool = True) -> str:
        """Runs `docker` with this machine's engine; its standard output.

        Raises:
            AssertionError: it failed; with what it wrote.
        """
        return _run(["docker", "-H", f"tcp://{self.address}:2375", *arguments], check=check)

    def answers(self) -> bool:
        """Whether its engine does."""
        return bool(self.docker("version", "--format={{.Server.Version}}", check=False).strip())

    def kill(self) -> None:
        """As a power cut: everything on it ends at once, and no connection is closed."""
        _run(["docker", "kill", self.name])

    def start(self) -> None:
        """After `kill`: with the disk that it had, and with the same address."""
        _run(["docker", "start", self.name])


class Swarm:
    """Three managers, of which the third has Redis, with the stack of this working tree.

    Args:
        environment: settings as they could stand in `.env`.
    """

    def __init__(self, environment: dict[str, str] | None = None) -> None:
        self.name = f"corkboard-swarm-{secrets.token_hex(3)}"
        self.root = Path(tempfile.mkdtemp(prefix="corkboard-test-")).resolve()
        # A network for benchmarks, which nobody's overlay networks meet (RFC 2544).
        self._subnet = f"198.18.{secrets.randbelow(256)}"
        self.machines = [Machine(f"{self.name}-{n}", f"{self._subnet}.{10 + n}") for n in (1, 2, 3)]
        self.environment = {name: value for name, value in os.environ.items() if name not in documented()}
        self.environment |= {
            "CA_BUNDLE": load().environment.get("CA_BUNDLE", ""),
            "COMPOSE_PROJECT_NAME": self.name,
            "RATE_LIMIT": "0",
            "REGISTRY": "registry:5000/corkboard",
            **(environment or {}),
        }

    @property
    def manager(self) -> Machine:
        """The first machine that answers."""
        return next(machine for machine in self.machines if machine.answers())

    def __enter__(self) -> Self:
        try:
            clone(self.root)
            self._start_machines()
            self._join()
            self.push()
            self.deploy()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Removes everything: machines with their disks, registry, network, images, the clone."""
        names = [f"{self.name}-registry", *(machine.name for machine in self.machines)]
        images = _run(["docker", "images", "--quiet", f"{self._pushed}/*"], check=False).split()
        _run(["docker", "rm", "--force", "--volumes", *names], check=False)
        _run(["docker", "network", "rm", self.name], check=False)
        if images:
            _run(["docker", "image", "rm", "--force", *images], check=False)
        shutil.rmtree(self.root, ignore_errors=True)

    def push(self) -> None:
        """`make stack`, first half: builds, and pushes to the registry by the name that it has out here."""
        _run(
            [sys.executable, "-m", "ops.swarm", "push"],
            self.root,
            {**self.environment, "REGISTRY": self._pushed},
        )

    def deploy(self) -> None:
        """`make stack`, second half; returns when everything runs."""
        host = {"DOCKER_HOST": f"tcp://{self.manager.address}:2375"}
        _run([sys.executable, "-m", "ops.swarm", "deploy"], self.root, {**self.environment, **host})
        self.settle()

    def settle(self) -> None:
        """Returns when all machines are there, and every service has all of its tasks."""

        def is_whole() -> bool:
            ready = self.manager.docker("node", "ls", "--format={{.Status}}", check=False).split()
            tasks = self.manager.docker("service", "ls", "--format={{.Replicas}}", check=False).split("\n")
            counts = [each.split()[0].split("/") for each in tasks if each]
            return ready == ["Ready"] * 3 and len(counts) == 4 and all(have == want for have, want in counts)

        wait_for(is_whole, "all machines and tasks", START_SECONDS)

    def update(self, service: str, *options: str, check: bool = True) -> str:
        """`docker service update`; returns when it is done, or taken back."""
        return self.manager.docker(
            "service", "update", "--detach=false", *options, f"{self.name}_{service}", check=check
        )

    def spread(self, service: str) -> None:
        """Has a task on each machine again: more are put where fewest are, and taken away where most are."""
        for replicas in (6, 3):
            self.manager.docker("service", "scale", "--detach=false", f"{self.name}_{service}={replicas}")

    def where(self, service: str) -> list[str]:
        """The host names of the machines that its running tasks are on."""
        shown = ("--filter=desired-state=running", "--format={{.Node}}")
        return self.manager.docker("service", "ps", *shown, f"{self.name}_{service}").split()

    @property
    def _pushed(self) -> str:
        port = _run(["docker", "port", f"{self.name}-registry", "5000/tcp"], check=False).rpartition(":")[2]
        return f"127.0.0.1:{port.strip()}/corkboard"

    def _start_machines(self) -> None:
        _run(["docker", "build", "--quiet", f"--tag={IMAGE}", str(ROOT / ".ci" / "swarm")])
        _run(["docker", "network", "create", f"--subnet={self._subnet}.0/24", self.name])
        run = ["docker", "run", "--detach", f"--network={self.name}"]
        own = [f"--name={self.name}-registry", "--network-alias=registry", "--publish=127.0.0.1::5000"]
        _run([*run, *own, IMAGE, "sh", "-c", REGISTRY])
        for number, machine in enumerate(self.machines, 1):
            own = [f"--name={machine.name}", f"--hostname=node{number}", f"--ip={machine.address}"]
            _run([*run, *own, "--privileged", "--tmpfs=/run", "--ulimit=nofile=20000", IMAGE])
        for machine in self.machines:
            wait_for(machine.answers, f"the engine of {machine.name}", START_SECONDS)

    def _join(self) -> None:
        first, *others = self.machines
        first.docker("swarm", "init", f"--advertise-addr={first.address}")
        token = first.docker("swarm", "join-token", "--quiet", "manager").strip()
        for machine in others:
            machine.docker("swarm", "join", f"--token={token}", f"{first.address}:2377")
        first.docker("node", "update", "--label-add=corkboard.redis=true", "node3")


def _run(
    command: list[str], folder: Path = ROOT, environment: dict[str, str] | None = None, check: bool = True
) -> str:
    result = subprocess.run(
        command,
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    if check and result.returncode:
        said = "\n".join((result.stdout + result.stderr).splitlines()[-40:])
        raise AssertionError(f"{' '.join(map(str, command))} failed:\n{said}")
    return result.stdout
