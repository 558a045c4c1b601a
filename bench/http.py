"""HTTP: requests a second and their delays, with wrk, over connections that stay."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import httpx

from bench import machine, servers
from bench.servers import Missing
from bench.stack import stack

SUBJECTS = ("Corkboard", "FastAPI in memory", "Flask in memory")
CONNECTIONS = 32
NOTE = '{"text":"Buy milk, and do not forget the bread this time","color":"khaki"}'
SCALE = {"us": 1e-3, "ms": 1.0, "s": 1e3, "m": 6e4}


@contextmanager
def subject(name: str) -> Iterator[tuple[int, list[int]]]:
    """One of `SUBJECTS`: its port, and the pids of all that serves it. All cores are theirs, and wrk's."""
    if name == "Corkboard":
        with stack() as running:
            pids = [pid for service in ("nginx", "wsgi", "redis") for pid in running.pids(service)]
            machine.pin(running.pids("redis"), machine.ALL_CORES)
            yield running.port, pids
    elif name.startswith("FastAPI"):
        with servers.uvicorn("bench.peers.memory_fastapi:app", {}) as found:
            yield found
    else:
        port = servers.free_port()
        command = [sys.executable, "-m", "gunicorn", "--bind", f"127.0.0.1:{port}", "--threads", "8"]
        command += ["--log-level", "warning", "--no-control-socket", "bench.peers.memory_flask:app"]
        with servers.process(command, {}, port) as master:
            yield port, machine.family([master.pid])


def program() -> str:
    """Where wrk is.

    Raises:
        Missing: nowhere.
    """
    if (found := shutil.which("wrk")) is None:
        raise Missing("wrk is not installed (Debian: wrk)")
    return found


def fill(port: int, notes: int = 60) -> str:
    """Writes notes, and returns the ETag of the list, empty where there is none."""
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=10) as client:
        for _ in range(notes):
            client.post(
                "/api/notes", content=NOTE, headers={"Content-Type": "application/json"}
            ).raise_for_status()
        return str(client.get("/api/notes").headers.get("ETag", ""))


def post(port: int, pids: Sequence[int], seconds: float) -> dict[str, float]:
    """Notes written."""
    return _wrk(
        port,
        pids,
        seconds,
        'wrk.method="POST"',
        _header("Content-Type", "application/json"),
        f"wrk.body=[[{NOTE}]]",
    )


def get(port: int, pids: Sequence[int], seconds: float) -> dict[str, float]:
    """The newest 50 notes read."""
    return _wrk(port, pids, seconds)


def not_modified(port: int, pids: Sequence[int], seconds: float) -> dict[str, float]:
    """The same asked by who has them: 304 where the server knows of ETags, else all of it again."""
    etag = fill(port, 1)
    return _wrk(port, pids, seconds, _header("If-None-Match", etag) if etag else "")


def _header(name: str, value: str) -> str:
    return f"wrk.headers[{name!r}]=[[{value}]]"


def _wrk(port: int, pids: Sequence[int], seconds: float, *script: str) -> dict[str, float]:
    """Requests a second, percentiles in milliseconds, and the servers' CPU seconds a thousand requests."""
    wrk = program()
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as file:
        file.write("\n".join(script))
        file.flush()
        command = [wrk, "-t1", f"-c{CONNECTIONS}", f"-d{seconds:.0f}s", "--latency", "-s", file.name]
        subprocess.run(
            [*command[:3], "-d1s", *command[4:], _url(port)], check=True, capture_output=True, timeout=60
        )
        cpu, begun = machine.cpu_seconds(pids), time.perf_counter()
        result = subprocess.run(
            [*command, _url(port)], check=True, capture_output=True, text=True, timeout=120
        )
        used, elapsed = machine.cpu_seconds(pids) - cpu, time.perf_counter() - begun
    return parsed(result.stdout, used, elapsed)


def parsed(text: str, used: float, elapsed: float) -> dict[str, float]:
    """The numbers in what wrk wrote, with the CPU seconds that the servers used meanwhile.

    Raises:
        RuntimeError: it saw errors.
    """
    if "Non-2xx" in text or "Socket errors" in text:
        raise RuntimeError(f"wrk saw errors: {text}")
    total = int(re.search(r"(\d+) requests in", text)[1])  # type: ignore[index]
    percentiles = {
        f"p{share}_ms": float(value) * SCALE[unit]
        for share, value, unit in re.findall(r"^\s+(50|90|99)%\s+([\d.]+)(us|ms|s|m)$", text, re.M)
    }
    return {
        "requests_per_second": float(re.search(r"Requests/sec:\s+([\d.]+)", text)[1]),  # type: ignore[index]
        **percentiles,
        "cpu_seconds_per_1000": used / total * 1000,
        "busy": used / elapsed,
    }


def _url(port: int) -> str:
    return f"http://127.0.0.1:{port}/api/notes"
