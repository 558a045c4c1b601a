"""What the kernel alone needs to send a prepared frame to every client, measured by a small C program."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path

from bench import machine
from bench.servers import Missing

SOURCE = Path(__file__).with_suffix(".c")
FRAME_BYTES = 204  # an event of 200 bytes with its frame header
SENDS = 400_000


def measure(frames: int, clients: int) -> dict[str, float]:
    """The most deliveries per CPU second that a server can reach here with so many frames per send().

    Raises:
        Missing: there is no C compiler.
    """
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is None:
        raise Missing("there is no C compiler (Debian: gcc)")
    with tempfile.TemporaryDirectory() as folder:
        program = str(Path(folder) / "kernel_floor")
        subprocess.run([compiler, "-O2", "-o", program, str(SOURCE)], check=True)
        cores = str(machine.SERVER_CORES[0]), str(machine.OTHER_CORES[0])
        words = [program, str(clients), str(FRAME_BYTES * frames), str(SENDS // clients), *cores]
        result = subprocess.run(words, capture_output=True, text=True, check=True, timeout=120)
    nanoseconds = float(result.stdout)
    return {"deliveries_per_cpu_second": frames * 1e9 / nanoseconds, "nanoseconds_per_send": nanoseconds}
