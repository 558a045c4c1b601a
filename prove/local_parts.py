"""The parts of a stack of local processes."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

import psutil

from local import processes
from local.settings import ROOT
from local.state import State
from local.supervisor import Supervisor
from prove.parts import NotHere, answers

T = TypeVar("T")

PATIENCE_SECONDS = 60.0


class LocalParts:
    """The processes of one stack, as Supervisor knows them."""

    def __init__(self, state: State, base_url: str) -> None:
        self.state = state
        self.base_url = base_url
        self._rules: list[list[str]] = []

    def kill(self, service: str) -> None:
        """As `Parts.kill`."""
        if service == "wsgi-worker":
            psutil.Process(self._pids("wsgi")[0]).children()[0].kill()
            return
        process = psutil.Process(self._pids(service)[0])
        # Orphaned workers would serve on until nginx starts again; in a container they end with their master.
        orphans = process.children() if service == "nginx" else []
        for victim in [process, *orphans]:
            victim.kill()

    def freeze(self, service: str, one: bool = False) -> None:
        """As `Parts.freeze`: SIGSTOP to every process."""
        if one:
            psutil.Process(self._pids(service)[0]).suspend()
        else:
            self._signal(self.names(service), signal.SIGSTOP)

    def thaw(self, service: str) -> None:
        """As `Parts.thaw`: SIGCONT to every process."""
        self._signal(self.names(service), signal.SIGCONT)

    def restart(self, service: str) -> None:
        """As `Parts.restart`: all processes of the service at once."""
        supervisor, names = Supervisor(self.state), self.names(service)
        for name in names:
            supervisor.stop_one(name)
        for name in names:
            supervisor.restart(name)
        self._wait(self._serves, f"{service} after its restart")

    def recreate(self, service: str) -> None:
        """As `Parts.recreate`: the processes one after the other."""
        for name in self.names(service):
            Supervisor(self.state).restart(name)
            self._wait(self._serves, f"{name} after its restart")

    def deploy(self, service: str) -> None:
        """As `Parts.deploy`."""
        workers = self._workers() if service == "nginx" else []
        self._local("deploy", service, FORCE="yes")
        self._wait_ended(workers)

    def reload(self) -> None:
        """As `Parts.reload`."""
        workers = self._workers()
        Supervisor(self.state).signal("nginx", "HUP")
        self._wait_ended(workers)

    def cut(self) -> None:
        """As `Parts.cut`: the kernel drops what the sidecars' connections carry."""
        if os.getuid() or not shutil.which("iptables"):
            raise NotHere("local processes share one network: cutting a part of it needs root and iptables")
        redis = str(self.state.ports(["redis"], running=True)["redis"])
        for pid in self._pids("asgi"):
            for connection in psutil.Process(pid).net_connections("tcp"):
                if connection.raddr and str(connection.raddr.port) == redis:
                    own = str(connection.laddr.port)
                    for source, target in ((own, redis), (redis, own)):
                        self._rule(
                            ["-o", "lo", "-p", "tcp", "--sport", source, "--dport", target, "-j", "DROP"]
                        )
        if not self._rules:
            raise NotHere("the sidecars have no TCP connection to Redis")

    def mend(self) -> None:
        """As `Parts.mend`."""
        while self._rules:
            subprocess.run(["iptables", "-D", "OUTPUT", *self._rules.pop()], check=True)

    def exhaust(self, service: str) -> None:  # noqa: ARG002
        """As `Parts.exhaust`."""
        raise NotHere(
            "local processes have no memory limit; to be killed by the kernel is to be killed: see kill-*"
        )

    def redis_cli(self, *arguments: str) -> str:
        """As `Parts.redis_cli`."""
        return self._local("redis-cli", *arguments).rstrip("\n")

    def names(self, service: str) -> list[str]:
        """The service's processes, by the names that Supervisor has for them."""
        names = [process.name for process in Supervisor(self.state).processes()]
        return sorted(name for name in names if name == service or name.startswith(f"{service}-"))

    def _pids(self, service: str) -> list[int]:
        names = self.names(service)
        # Between two lives a process has the number 0.
        return self._wait(
            lambda: [one.pid for one in Supervisor(self.state).processes() if one.name in names and one.pid],
            f"a process of {service}",
        )

    def _workers(self) -> list[psutil.Process]:
        return psutil.Process(self._pids("nginx")[0]).children()

    def _wait_ended(self, workers: list[psutil.Process]) -> None:
        self._wait(lambda: not any(map(psutil.Process.is_running, workers)), "the end of nginx' old workers")

    def _signal(self, names: list[str], number: signal.Signals) -> None:
        for name in names:
            for process in processes.members(self.state.run / f"{name}.pid"):
                with suppress(psutil.NoSuchProcess):
                    process.send_signal(number)

    def _serves(self) -> bool:
        paths = ["/ws/readyz"] if self.state.app else ["/readyz", "/ws/readyz"]
        running = all(process.state == "RUNNING" for process in Supervisor(self.state).processes())
        return running and all(answers(self.base_url + path) for path in paths)

    def _rule(self, rule: list[str]) -> None:
        subprocess.run(["iptables", "-I", "OUTPUT", *rule], check=True)
        self._rules.append(rule)

    def _wait(self, condition: Callable[[], T], what: str) -> T:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not (answer := condition()):
            if time.monotonic() > deadline:
                raise RuntimeError(f"waited {PATIENCE_SECONDS:.0f} s in vain for {what}")
            time.sleep(0.05)
        return answer

    def _local(self, *arguments: str, **environment: str) -> str:
        command = [sys.executable, "-m", "local", "--state", str(self.state.root), *arguments]
        return subprocess.run(
            command, cwd=ROOT, env={**os.environ, **environment}, check=True, capture_output=True, text=True
        ).stdout
