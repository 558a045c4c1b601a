"""The Makefile's own promises; what it runs is tested elsewhere."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from local.settings import ROOT

pytestmark = pytest.mark.skipif(shutil.which("make") is None, reason="no make on PATH")


def make(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["make", *arguments],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/")} | environment,
        capture_output=True,
        text=True,
        check=False,
    )


def test_help_has_one_line_for_every_target() -> None:
    shown = set(re.findall(r"^  ([a-z-]+) ", make().stdout, re.MULTILINE))
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert shown == set(targets)
    assert shown >= {"up", "down", "test", "dev", "loadtest", "bench", "help", "lint", "logs", "clean"}


@pytest.mark.skipif(shutil.which("docker") is None, reason="no docker on PATH")
@pytest.mark.parametrize("value", ["abc", "0", "65536", "-1", "80.5"])
def test_a_port_that_makes_no_sense_is_refused_before_compose_is_called(value: str) -> None:
    if subprocess.run(["docker", "info"], capture_output=True, check=False).returncode:
        pytest.skip("no Docker engine answers")
    result = make("up", HTTP_PORT=value)
    assert result.returncode
    said, *rest = result.stderr.splitlines()
    assert (
        said
        == f"HTTP_PORT='{value}' makes no sense: it must be a whole number from 1 to 65535 (see .env.example)"
    )
    assert all(line.startswith("make: ***") for line in rest)


def test_an_old_python_is_one_clear_line(tmp_path: Path) -> None:
    for program in ("make", "sh", "sed", "tail", "cat", "rm"):
        found = shutil.which(program)
        assert found
        (tmp_path / program).symlink_to(found)
    result = make("up", "DOCKER=no", f"VENV={tmp_path / 'none'}", PATH=str(tmp_path))
    assert result.returncode
    said = [line for line in result.stderr.splitlines() if not line.startswith("make")]
    assert len(said) == 1
    assert said[0].startswith("Corkboard needs Python >= 3.11")
