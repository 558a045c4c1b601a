"""Renders nginx's templates as the official image's entrypoint does, and lets nginx check the result."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Mapping
from pathlib import Path

from local.errors import LocalError
from local.settings import ROOT

TEMPLATES = ROOT / "nginx" / "templates"
VARIABLE = re.compile(r"\$(?:\{([A-Za-z_]\w*)\}|([A-Za-z_]\w*))")


def substitute(text: str, values: Mapping[str, str]) -> str:
    """envsubst limited to the names in `values`: every other `$name`, nginx's own, stays as it is."""
    return VARIABLE.sub(lambda found: values.get(found[1] or found[2], found[0]), text)


def render(folder: Path, values: Mapping[str, str]) -> None:
    """Writes the whole configuration to `folder`, `nginx.conf` and what it includes."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for template in sorted(TEMPLATES.rglob("*.template")):
        target = folder / template.relative_to(TEMPLATES).with_suffix("")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(substitute(template.read_text(), values))


def check(nginx: str, folder: Path) -> None:
    """`nginx -t` on a rendered configuration.

    Raises:
        LocalError: with nginx's own words.
    """
    command = [nginx, "-e", "stderr", "-p", str(folder), "-c", str(folder / "nginx.conf"), "-t", "-q"]
    answer = subprocess.run(command, capture_output=True, text=True, check=False)
    if answer.returncode:
        raise LocalError(f"nginx refuses its configuration: {answer.stderr.strip()}")
