"""HTTP: requests per second and their latency, measured by wrk over keep-alive connections."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager

import httpx

from bench import durable_peers, machine, servers
from bench.servers import Missing
from bench.stack import stack
from local.state import free_port

SUBJECTS = ("Corkboard", "FastAPI in memory", "Flask in memory")
DURABLE: dict[str, Callable[[], AbstractContextManager[tuple[int, list[int]]]]] = {
    "FastAPI and Redis": durable_peers.fastapi_redis,
    "Flask and PostgreSQL": durable_peers.flask_postgres,
}
CONNECTIONS = 32
NOTE = '{"text":"Buy milk, and do not forget the bread this time","color":"khaki"}'
MILLISECONDS = {"us": 1e-3, "ms": 1.0, "s": 1e3, "m": 6e4}


@contextmanager
def serving(name: str) -> Iterator[tuple[int, list[int]]]:
    """Starts one of `SUBJECTS` or `DURABLE` on all cores, which wrk has, too. Yields its port and pids."""
    if name in DURABLE:
        with DURABLE[name]() as found:
            yield found
    elif name == "Corkboard":
        with stack() as running:
            pids = [pid for service in ("nginx", "wsgi", "redis") for pid in running.pids(service)]
            machine.pin(running.pids("redis"), machine.ALL_CORES)
            yield running.port, pids
    elif name.startswith("FastAPI"):
        with servers.uvicorn("bench.peers.memory_fastapi:app", {}) as found:
            yield found
    else:
        port = free_port()
        command = [sys.executable, "-m", "gunicorn", "--bind", f"127.0.0.1:{port}", "--threads", "8"]
        command += ["--log-level", "warning", "--no-control-socket", "bench.peers.memory_flask:app"]
        with servers.process(command, {}, port) as master:
            yield port, machine.family([master.pid])


def find_wrk() -> str:
    """The path of wrk.

    Raises:
        Missing: it is not installed.
    """
    if (found := shutil.which("wrk")) is None:
        raise Missing("wrk is not installed (Debian: wrk)")
    return found


def fill(port: int, notes: int = 60) -> str:
    """Writes notes. Returns the list's ETag, or an empty string if it has none."""
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=10) as client:
        for _ in range(notes):
            headers = {"Content-Type": "application/json"}
            client.post("/api/notes", content=NOTE, headers=headers).raise_for_status()
        return str(client.get("/api/notes").headers.get("ETag", ""))


def post(port: int, pids: Sequence[int], seconds: float) -> dict[str, float]:
    """Writes notes."""
    header = _header("Content-Type", "application/json")
    return _wrk(port, pids, seconds, 'wrk.method="POST"', header, f"wrk.body=[[{NOTE}]]")


def get(port: int, pids: Sequence[int], seconds: float, path: str = "/api/notes") -> dict[str, float]:
    """Reads; by default the newest 50 notes."""
    return _wrk(port, pids, seconds, f"wrk.path=[[{path}]]")


def shared_list(port: int, pids: Sequence[int], seconds: float) -> dict[str, float]:
    """Reads the list that the project's page begins with."""
    return get(port, pids, seconds, "/api/notes?board=main&order=position&shared=1")


def not_modified(port: int, pids: Sequence[int], seconds: float) -> dict[str, float]:
    """Reads an unchanged list: a 304 from a server that has ETags, otherwise the whole list again."""
    etag = fill(port, 1)
    return _wrk(port, pids, seconds, _header("If-None-Match", etag) if etag else "")


def _header(name: str, value: str) -> str:
    return f"wrk.headers[{name!r}]=[[{value}]]"


def _wrk(port: int, pids: Sequence[int], seconds: float, *script: str) -> dict[str, float]:
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as file:
        file.write("\n".join(script))
        file.flush()
        command = [find_wrk(), "-t1", f"-c{CONNECTIONS}", "--latency", "-s", file.name]
        command.append(f"http://127.0.0.1:{port}/api/notes")
        subprocess.run([*command, "-d1s"], check=True, capture_output=True, timeout=60)  # warms up
        pids = machine.family(pids)
        cpu, begun = machine.cpu_seconds(pids), time.perf_counter()
        command.append(f"-d{seconds:.0f}s")
        result = subprocess.run(command, check=True, capture_output=True, text=True, timeout=120)
        used, elapsed = machine.cpu_seconds(pids) - cpu, time.perf_counter() - begun
    return parsed(result.stdout, used, elapsed)


def parsed(text: str, used: float, elapsed: float) -> dict[str, float]:
    """The numbers in wrk's output, and the CPU time `used` by the servers in `elapsed` seconds.

    Raises:
        RuntimeError: wrk reports errors.
    """
    if "Non-2xx" in text or "Socket errors" in text:
        raise RuntimeError(f"wrk reports errors: {text}")
    total = int(re.search(r"(\d+) requests in", text)[1])  # type: ignore[index]
    percentiles = {
        f"p{share}_ms": float(value) * MILLISECONDS[unit]
        for share, value, unit in re.findall(r"^\s+(50|90|99)%\s+([\d.]+)(us|ms|s|m)$", text, re.M)
    }
    return {
        "requests_per_second": float(re.search(r"Requests/sec:\s+([\d.]+)", text)[1]),  # type: ignore[index]
        **percentiles,
        "cpu_seconds_per_1000": used / total * 1000,
        "busy": used / elapsed,
    }
