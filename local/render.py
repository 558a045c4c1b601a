"""Renders nginx's templates as the official image's entrypoint does, and lets nginx check the result."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

from local.errors import LocalError
from local.settings import ROOT

TEMPLATES = ROOT / "nginx" / "templates"
# What the image's entrypoint sources before it renders: defaults, bounds, and what follows from the settings.
SETTINGS = sorted(map(str, (ROOT / "nginx").glob("*.envsh")))
UPPER_CASE = re.compile(r"\$\{([A-Z][A-Z0-9_]*)\}")
VARIABLE = re.compile(r"\$(?:\{([A-Za-z_]\w*)\}|([A-Za-z_]\w*))")


def substitute(text: str, values: Mapping[str, str]) -> str:
    """envsubst limited to the names in `values`: every other `$name`, nginx's own, stays as it is."""
    return VARIABLE.sub(lambda found: values.get(found[1] or found[2], found[0]), text)


def complete(values: Mapping[str, str], names: Iterable[str]) -> dict[str, str]:
    """The named variables as nginx/*.envsh leave them, when they start with `values`. Passes on warnings.

    Raises:
        LocalError: a value is invalid. One line, with the variable's name and what is expected.
    """
    sourced = " ".join(f". {shlex.quote(file)};" for file in SETTINGS)
    script = sourced + r""" for name; do eval "value=\${$name-}"; printf '%s\0' "$value"; done"""
    command = ["sh", "-c", script, "sh", *(wanted := sorted(names))]
    environment = {"PATH": os.environ.get("PATH", os.defpath), **values}
    answer = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if answer.returncode:
        raise LocalError(answer.stderr.strip(), code=2)
    print(answer.stderr, end="", file=sys.stderr)
    return dict(zip(wanted, answer.stdout.split("\0"), strict=False))


def render(folder: Path, values: Mapping[str, str]) -> None:
    """Writes the whole configuration to `folder`, `nginx.conf` and what it includes.

    Raises:
        LocalError: a value is invalid.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    texts = {template: template.read_text() for template in sorted(TEMPLATES.glob("*.template"))}
    completed = complete(values, {name for text in texts.values() for name in UPPER_CASE.findall(text)})
    for template, text in texts.items():
        (folder / template.stem).write_text(substitute(text, completed))


def check(nginx: str, folder: Path) -> None:
    """`nginx -t` on a rendered configuration.

    Raises:
        LocalError: with nginx's own words.
    """
    command = [nginx, "-e", "stderr", "-p", str(folder), "-c", str(folder / "nginx.conf"), "-t", "-q"]
    answer = subprocess.run(command, capture_output=True, text=True, check=False)
    if answer.returncode:
        raise LocalError(f"nginx refuses its configuration: {answer.stderr.strip()}")
