"""The next version of a service beside the one that serves: to see whether it works, to serve meanwhile."""

from __future__ import annotations

import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace

import psutil

from local import health, processes, services
from local.errors import LocalError
from local.services import Service
from local.settings import ROOT
from local.state import State, free_port
from local.supervisor import Supervisor

PATIENCE = 60.0
RELOAD_SECONDS = 2.0


def rehearse(service: Service, state: State) -> None:
    """Starts the service's new version on ports of its own, and ends it once it is ready.

    Raises:
        LocalError: it does not start, or is not ready in time. With the last lines of its log.
    """
    port = free_port()
    if service.name == "wsgi":
        places = {"WSGI_BIND": f"127.0.0.1:{port}", "WSGI_METRICS_PORT": str(free_port({port}))}
        probe = services.probe("wsgi", port)
    elif service.name.startswith("asgi"):
        places, probe = {"ASGI_PORT": str(port)}, services.probe(service.name, port)
    elif service.name == "redis":
        places, probe = {}, services.probe("redis", port)
    else:
        return
    print(f"  {service.name:<8} trying the new version", flush=True)
    with tempfile.TemporaryDirectory() as empty:
        if service.name == "redis":  # the last of two options counts: elsewhere, and without the data
            elsewhere = ["--port", str(port), "--dir", empty, "--appendonly", "no"]
            service = replace(service, command=[*service.command, *elsewhere])
        with _beside(service, state, places | {"SOCKET_FOLDER": ""}, probe):
            pass


@contextmanager
def stand_in(service: Service, state: State) -> Iterator[None]:
    """A second process, which has the socket of the supervised one while that restarts, and gives it back.

    A second `wsgi` listens on the same port, too. There is none beside one of a version before 2.1, which
    shares its port with nobody: nginx waits for the new one, as for one that was killed.
    """
    if service.name == "wsgi" and not _is_shared(service.environment["WSGI_BIND"]):
        yield
        return
    port = free_port()
    name = "WSGI_METRICS_PORT" if service.name == "wsgi" else "ASGI_PORT"
    path = "/metrics" if service.name == "wsgi" else "/ws/readyz"
    with _beside(service, state, {name: str(port)}, f"http://127.0.0.1:{port}{path}"):
        yield


def _is_shared(address: str) -> bool:
    host, _, port = address.rpartition(":")
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        try:
            probe.bind((host, int(port)))
        except OSError:
            return False
    return True


def reload_nginx(state: State, supervisor: Supervisor) -> None:
    """Lets nginx take its new configuration, and the sidecars' clients come back through its new workers."""
    old = [process for process in processes.members(state.run / "nginx.pid") if _accepts(process)]
    supervisor.signal("nginx", "HUP")
    deadline = time.monotonic() + RELOAD_SECONDS
    # One that came to an old worker now would be cut when that ends.
    while any(map(_accepts, old)) and time.monotonic() < deadline:
        time.sleep(health.PAUSE)
    for process in supervisor.processes():
        if process.name.startswith("asgi") and process.state == "RUNNING":
            supervisor.signal(process.name, "URG")


def _accepts(process: psutil.Process) -> bool:
    """Whether it is a worker that takes new connections; the name says so."""
    try:
        name = " ".join(process.cmdline())
        return "worker process" in name and "is shutting down" not in name
    except psutil.NoSuchProcess:
        return False


@contextmanager
def _beside(service: Service, state: State, places: Mapping[str, str], probe: str) -> Iterator[None]:
    name = f"{service.name}-next"
    # What is noted there is ended by `make down`, should this process be killed; and by the next one.
    pid_file = state.run / f"{name}.pid"
    processes.end([pid_file], seconds=1)
    with state.log(name).open("wb") as log:
        process = subprocess.Popen(
            service.command,
            cwd=ROOT,
            env={**service.environment, **places},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    pid_file.write_text(f"{process.pid} {psutil.Process(process.pid).create_time()}")
    try:
        deadline = time.monotonic() + PATIENCE
        while not health.answers(probe):
            if process.poll() is not None:
                raise LocalError(health.report(state, name, "does not start; the old one serves on", {}))
            if time.monotonic() > deadline:
                raise LocalError(health.report(state, name, "is not ready; the old one serves on", {}))
            time.sleep(health.PAUSE)
        yield
        state.log(name).unlink()  # of a version that is refused it stays
    finally:
        process.terminate()
        try:
            process.wait(service.stop_seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        pid_file.unlink()
