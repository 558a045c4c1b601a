"""Reads docker-compose.yml, for what is made from it."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any

Options = dict[str, Any]

ROOT = Path(__file__).parents[1]
UNITS = {"h": 3600, "m": 60, "s": 1}


def read() -> Options:
    """The Compose file with its defaults, whatever is set on this machine. Needs Compose, and no engine.

    Raises:
        subprocess.CalledProcessError: Compose refuses it.
    """
    kept = {name: value for name, value in os.environ.items() if name in ("PATH", "HOME", "DOCKER_CONFIG")}
    command = ["docker", "compose", f"--env-file={os.devnull}", "-f", "docker-compose.yml"]
    said = subprocess.run(  # noqa: S603
        [*command, "config", "--format=json"], cwd=ROOT, env=kept, check=True, stdout=subprocess.PIPE
    )
    found: Options = json.loads(said.stdout)
    return found


def seconds(duration: str) -> int:
    """Seconds of a duration as Compose writes it, as in 1m0s."""
    return sum(int(number) * UNITS[unit] for number, unit in re.findall(r"(\d+)([hms])", duration))


def mebibytes(size: str | int) -> int:
    """MiB of a number of bytes, rounded down."""
    return int(size) // 2**20


def instruction(service: Options, word: str) -> str:
    """The first argument of the last instruction `word`, such as USER, in a service's Dockerfile."""
    build = service["build"]
    text = (Path(build["context"]) / build["dockerfile"]).read_text()
    return str(re.findall(rf"^{word} (\S+)", text, re.MULTILINE)[-1])
