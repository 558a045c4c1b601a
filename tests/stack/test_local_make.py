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


# Whatever of this clone runs while the tests do.
NOT_RUNNING = "RUNS_LOCALLY=false"


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
    assert re.findall(r"^\.PHONY: (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE) == [
        " ".join(targets)
    ]
    assert shown >= {"up", "down", "test", "dev", "loadtest", "bench", "help", "lint", "logs", "clean"}


@pytest.mark.parametrize("target", ["up", "dev", "loadtest"])
def test_an_invalid_number_is_refused_before_anything_starts(target: str) -> None:
    result = make(target, HTTP_PORT="abc")
    assert result.returncode
    said, *rest = result.stderr.splitlines()
    assert (
        said == "HTTP_PORT is invalid: expected a whole number from 1 to 65535, not 'abc' (see .env.example)"
    )
    assert all(line.startswith("make: ***") for line in rest)
    assert "Starting" not in result.stdout


@pytest.mark.parametrize(
    ("engine", "compose", "said"),
    [
        ("24.0.7", "2.30.1", "Docker Engine 24.0.7 is too old: 25.0 or newer is needed."),
        ("28.1.0", "v2.19.9", "Docker Compose 2.19.9 is too old: 2.20 or newer is needed."),
    ],
)
def test_a_docker_that_is_too_old_is_one_line_and_nothing_else_starts(
    tmp_path: Path, engine: str, compose: str, said: str
) -> None:
    docker = tmp_path / "docker"
    docker.write_text(
        "#!/bin/sh\n"
        f'case "$*" in info) ;; "version --format"*) echo {engine} ;; "compose version"*) echo {compose} ;;\n'
        '*) echo "called: docker $*" ;; esac\n'
    )
    docker.chmod(0o755)
    result = make("up", NOT_RUNNING, PATH=f"{tmp_path}:{os.environ['PATH']}")
    assert result.returncode
    line, *rest = result.stderr.splitlines()
    assert line == f"{said} Without Docker: make DOCKER=no up"
    assert all(line.startswith("make: ***") for line in rest)
    assert result.stdout == ""


def test_the_readme_names_the_versions_that_are_checked() -> None:
    makefile, readme = ((ROOT / name).read_text() for name in ("Makefile", "README.md"))
    found = re.findall(r'"(Engine|Compose) \$\$\(docker [^)]*\) ([0-9.]+)"', makefile)
    assert [name for name, _ in found] == ["Engine", "Compose"]
    for name, version in found:
        assert f"{name} >= {version.removesuffix('.0')}" in readme


def test_hot_reload_is_refused_in_front_of_an_app_of_ones_own() -> None:
    result = make("dev", "APP=http://127.0.0.1:5000")
    assert result.returncode
    said, *rest = result.stderr.splitlines()
    assert said.startswith("make dev is for the demo's code")
    assert all(line.startswith("make: ***") for line in rest)
    assert result.stdout == ""


def test_no_container_is_asked_about_an_app_of_ones_own(tmp_path: Path) -> None:
    docker, called = tmp_path / "docker", tmp_path / "called"
    docker.write_text(f'#!/bin/sh\ncase "$*" in info | "compose version") ;; *) touch {called} ;; esac\n')
    docker.chmod(0o755)
    path = f"{tmp_path}:{os.environ['PATH']}"
    make("status", "APP=http://127.0.0.1:5000", PATH=path)
    assert not called.exists()
    make("status", NOT_RUNNING, PATH=path)
    assert called.exists()


def test_what_pip_says_is_shown_only_when_it_fails(tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    for program in ("python", "pip"):
        (tmp_path / "bin" / program).write_text(
            "#!/bin/sh\necho 'WARNING: a folder' >&2\necho Collecting one\nexec test -z \"$FAILS\"\n"
        )
        (tmp_path / "bin" / program).chmod(0o755)
    stamp = tmp_path / "local.stamp"
    failed = make(f"VENV={tmp_path}", str(stamp), FAILS="yes")
    assert failed.returncode
    assert "WARNING: a folder" in failed.stderr
    assert not stamp.exists()
    result = make(f"VENV={tmp_path}", str(stamp))
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout.splitlines()[-1] == "  1 packages"
    assert stamp.exists()


def test_an_old_python_is_one_clear_line(tmp_path: Path) -> None:
    for program in ("make", "sh", "awk", "ls", "cat", "rm"):
        found = shutil.which(program)
        assert found
        (tmp_path / program).symlink_to(found)
    result = make("up", "DOCKER=no", f"VENV={tmp_path / 'none'}", PATH=str(tmp_path))
    assert result.returncode
    said = [line for line in result.stderr.splitlines() if not line.startswith("make")]
    assert len(said) == 1
    assert said[0].startswith("Corkboard needs Python >= 3.11")
    assert said[0].endswith("make PYTHON=/path/to/python3.11 up")
