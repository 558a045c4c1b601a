"""`python -m bench.crowd [SOCKETS]`: do so many WebSockets fit through the nginx of the containers here?

Start them with room for one client with all of these sockets, as in:

    MAX_SOCKETS=10000 MAX_SOCKETS_PER_CLIENT=32000 MAX_REQUESTS_PER_CLIENT=0 docker compose up --build --wait

Then it prints what nginx' container used of its memory limit, and whether one event reached every socket.
"""

from __future__ import annotations

import subprocess
import sys
import time
from contextlib import closing

import httpx

from bench import machine
from bench.clients import Clients, Endpoint
from bench.frames import upgrade

SOCKETS = 16_000
PORT = 8080  # inside of the container: one that is published passes another proxy
TOPIC = "crowd"


def main(number: int) -> None:
    """Opens the sockets, sends one event, and prints the figures."""
    machine.raise_open_files()
    container = _run("docker", "compose", "ps", "--quiet", "nginx")
    addresses = "{{range .NetworkSettings.Networks}}{{.IPAddress}} {{end}}"
    host = _run("docker", "inspect", f"--format={addresses}", container).split()[0]
    handshake = upgrade(PORT, f"/ws?topic=board:{TOPIC}")
    print(f"nginx before: {_memory(container)}", flush=True)
    with closing(Clients(reconnect=True)) as clients:
        endpoint = Endpoint(PORT, handshake, ready=b'"op":"subscribed"', host=host)
        seconds = clients.open(endpoint, number, seconds=600)
        print(f"{number:,} sockets after {seconds:.0f} s; nginx: {_memory(container)}", flush=True)
        begun = time.perf_counter()
        note = {"board": TOPIC, "text": "x" * 200}
        httpx.post(f"http://{host}:{PORT}/api/notes", json=note, timeout=30).raise_for_status()
        clients.wait(lambda: clients.slowest >= 1, "the event", 60)
        seconds = time.perf_counter() - begun
        print(f"one event reached all of them in {seconds:.2f} s; nginx: {_memory(container)}")


def _memory(container: str) -> str:
    # Without the files that it has read, which the kernel would give up at once.
    return _run("docker", "stats", "--no-stream", "--format={{.MemUsage}}", container)


def _run(*command: str) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else SOCKETS)
