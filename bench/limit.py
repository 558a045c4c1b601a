"""What the kernel alone takes to send a ready frame to each client: measured by a small program in C."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path

from bench import machine
from bench.servers import Missing

SOURCE = Path(__file__).parent / "send_cost.c"
FRAME_BYTES = 204  # an event of 200 bytes and its frame's head
SENDS = 400_000


def send_cost(frames: int, clients: int = 1000) -> dict[str, float]:
    """The most deliveries a CPU second that any server can reach here with so many frames a send().

    Raises:
        Missing: there is no C compiler.
    """
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is None:
        raise Missing("no C compiler")
    with tempfile.TemporaryDirectory() as folder:
        program = str(Path(folder) / "send_cost")
        subprocess.run([compiler, "-O2", "-o", program, str(SOURCE)], check=True)
        cores = [str(cores[0]) if cores else "-1" for cores in (machine.SERVER_CORES, machine.OTHER_CORES)]
        words = [program, str(clients), str(FRAME_BYTES * frames), str(SENDS // clients), *cores]
        result = subprocess.run(words, capture_output=True, text=True, check=True, timeout=120)
    nanoseconds = float(result.stdout)
    return {"deliveries_per_cpu_second": frames * 1e9 / nanoseconds, "nanoseconds_per_send": nanoseconds}
