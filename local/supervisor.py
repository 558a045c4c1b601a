"""Supervisor (https://supervisord.org) keeps the processes alive; this configures it and talks to it."""

from __future__ import annotations

import json
import resource
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xmlrpc.client import Fault, ServerProxy

import psutil
from supervisor.xmlrpc import SupervisorTransport  # type: ignore[import-untyped]

from local import processes
from local.errors import LocalError
from local.services import Service, newest
from local.settings import ROOT, Docker
from local.state import State

# What one process may open, in a container and here: above the 16,000 connections of an nginx worker.
OPEN_FILES: int = Docker.model_fields["open_files"].default

HEAD = """\
[unix_http_server]
file={socket}
chmod=0700

[supervisord]
logfile={logs}/supervisor.log
logfile_maxbytes=1MB
logfile_backups=1
childlogdir={logs}
pidfile={run}/supervisor.pid
directory={root}
{user}
[rpcinterface:supervisor]
supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface
"""

PROGRAM = """
[program:{name}]
command={command}
directory={root}
priority={priority}
autorestart=true
startsecs=1
startretries=1000000
stopsignal={stop_signal}
stopwaitsecs={stop_seconds}
killasgroup=true
redirect_stderr=true
stdout_logfile={log}
stdout_logfile_maxbytes=10MB
stdout_logfile_backups=3
"""


@dataclass(frozen=True)
class Process:
    """One service as Supervisor sees it; the state BACKOFF means that it failed to start."""

    name: str
    state: str
    pid: int
    seconds: int


class Supervisor:
    """The supervisord of one stack."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._rpc: Any = None

    @property
    def _call(self) -> Any:
        if self._rpc is None:
            transport = SupervisorTransport(None, None, f"unix://{self._state.socket}")
            self._rpc = ServerProxy("http://localhost", transport=transport).supervisor
        return self._rpc

    def is_running(self) -> bool:
        """Whether a supervisord answers for this stack."""
        try:
            return bool(self._call.getState()["statename"] == "RUNNING")
        except OSError:
            self._rpc = None
            return False

    def processes(self) -> list[Process]:
        """All services; empty when nothing runs."""
        if not self.is_running():
            return []
        return [
            Process(each["name"], each["statename"], each["pid"], each["now"] - each["start"])
            for each in self._call.getAllProcessInfo()
        ]

    def start(self, services: list[Service]) -> None:
        """Starts supervisord, which starts the services and stays in the background.

        Raises:
            LocalError: it did not start.
        """
        self._write(services)
        _raise_open_files()
        command = [sys.executable, "-m", "supervisor.supervisord", "-c", str(self._config)]
        answer = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        if answer.returncode:
            raise LocalError(f"supervisord did not start: {(answer.stderr or answer.stdout).strip()}")
        deadline = time.monotonic() + 10
        while not self.is_running():
            if time.monotonic() > deadline:
                raise LocalError(f"supervisord did not start; see {self._state.log('supervisor')}")
            time.sleep(0.05)

    def stale(self, services: list[Service]) -> set[str]:
        """The names of those that need a restart: their command, environment or files have changed."""
        return {service.name for service in services if self._is_stale(service)}

    def update(self, services: list[Service], later: Collection[str] = ()) -> list[str]:
        """Starts what is new or was stopped, and stops what is gone; the names of both.

        What is still to be restarted gets its new command and environment, unless it is to be done `later`.
        """
        self._write(services, later)
        added, altered, removed = self._call.reloadConfig()[0]
        for name in removed + altered:
            self._call.stopProcessGroup(name)
            self._call.removeProcessGroup(name)
        for name in added + altered:
            self._call.addProcessGroup(name)
        stopped = [each.name for each in self.processes() if each.state in ("STOPPED", "EXITED", "FATAL")]
        for name in stopped:
            with suppress(Fault):
                self._call.startProcess(name, False)
        return [*added, *altered, *removed, *stopped]

    def restart(self, name: str) -> None:
        """Stops a service as gently as a shutdown would, and starts it."""
        self.stop_one(name)
        with suppress(Fault):  # it ended again at once; whoever waits for its health says so
            self._call.startProcess(name, False)

    def stop_one(self, name: str) -> None:
        """Stops one service; it stays away until it is started again."""
        with suppress(Fault):  # it was not running
            self._call.stopProcess(name)

    def signal(self, name: str, signal_name: str) -> None:
        self._call.signalProcess(name, signal_name)

    def stop(self) -> bool:
        """Stops everything and waits until it is gone, also what a killed supervisord left behind.

        Returns:
            whether anything ran.
        """
        ran = self.is_running()
        if ran:
            own = psutil.Process(self._call.getPID())
            self._call.shutdown()
            own.wait()
        services = [file for file in self._state.run.glob("*.pid") if file.name != "supervisor.pid"]
        ran = processes.end(services, seconds=10) or ran
        for folder in (self._state.socket.parent, self._state.sockets):
            shutil.rmtree(folder, ignore_errors=True)
        return ran

    @property
    def _config(self) -> Path:
        return self._state.run / "supervisor.conf"

    def _is_stale(self, service: Service) -> bool:
        try:
            started = (self._state.run / f"{service.name}.pid").stat().st_mtime
            before = json.loads(self._file(service).read_text())
            return not service.is_like(before) or newest(service) > started
        except FileNotFoundError:
            return True

    def _file(self, service: Service) -> Path:
        return self._state.run / f"{service.name}.json"

    def _write(self, services: list[Service], later: Collection[str] = ()) -> None:
        user = "user=root\n" if psutil.Process().uids().real == 0 else ""
        text = HEAD.format(
            socket=self._state.socket,
            logs=self._state.logs,
            run=self._state.run,
            root=ROOT,
            user=user,
        )
        for priority, service in enumerate(services, 1):
            file = self._file(service)
            file.touch(mode=0o600)  # its environment may hold SECRET_KEY
            if service.name not in later:
                file.write_text(service.program())
            command = [sys.executable, "-m", "local.child", str(self._state.run), service.name]
            text += PROGRAM.format(
                name=service.name,
                command=shlex.join(command),
                root=ROOT,
                priority=priority,
                stop_signal=service.stop_signal,
                stop_seconds=service.stop_seconds,
                log=self._state.log(service.name),
            )
        self._config.write_text(text)


def _raise_open_files() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = OPEN_FILES if hard == resource.RLIM_INFINITY else min(OPEN_FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
