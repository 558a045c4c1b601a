"""Reads docker-compose.yml, for what is made from it."""

from __future__ import annotations

import json
import math
import os
import re
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

Options = dict[str, Any]

ROOT = Path(__file__).parents[1]
FILE = "docker-compose.yml"
KEPT = ("PATH", "HOME", "DOCKER_CONFIG")
UNITS = {"h": 3600, "m": 60, "s": 1, "ms": 0.001}


def compose(*more: str) -> list[str]:
    """The first words of a `docker compose` command for docker-compose.yml with `more` files on top of it."""
    return ["docker", "compose", *(word for file in (FILE, *more) for word in ("-f", file))]


def read(*more: str, settings: Mapping[str, str] | None = None) -> Options:
    """The Compose file with `more` files on top of it, as one. Needs Compose, and no engine.

    Args:
        settings: instead of those of this machine, which stand in `.env` and the environment.

    Raises:
        subprocess.CalledProcessError: Compose refuses it, and has said why.
    """
    command, environment = [*compose(*more), "config", "--format=json"], dict(os.environ)
    if settings is not None:
        command.insert(2, f"--env-file={os.devnull}")
        environment = {name: environment[name] for name in KEPT if name in environment} | dict(settings)
    said = subprocess.run(command, cwd=ROOT, env=environment, check=True, stdout=subprocess.PIPE)
    found: Options = json.loads(said.stdout)
    return found


def seconds(duration: str) -> int:
    """Seconds of a duration as Compose writes it, as in 1m0s; rounded up."""
    parts = re.findall(r"([\d.]+)(ms|h|m|s)", duration)
    return math.ceil(sum(float(number) * UNITS[unit] for number, unit in parts))


def mebibytes(size: str | int) -> int:
    """MiB of a number of bytes, rounded down."""
    return int(size) // 2**20


def instruction(service: Options, word: str) -> str:
    """The first argument of the last instruction `word`, such as USER, in a service's Dockerfile."""
    build = service["build"]
    text = (Path(build["context"]) / build["dockerfile"]).read_text()
    return str(re.findall(rf"^{word} (\S+)", text, re.MULTILINE)[-1])
