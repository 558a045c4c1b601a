"""What `make up` says of `.env` before anything starts; in awk, because Docker alone brings no Python."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from local.settings import ROOT


def check(env_file: Path, text: str, **environment: str) -> subprocess.CompletedProcess[str]:
    env_file.write_text(text)
    return subprocess.run(
        ["awk", "-f", "local/check.awk", ".env.example", str(env_file)],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"]} | environment,
        capture_output=True,
        text=True,
        check=False,
    )


def warnings(env_file: Path, text: str) -> list[str]:
    done = check(env_file, text)
    assert done.returncode == 0
    return done.stderr.splitlines()


@pytest.fixture
def env_file(tmp_path: Path) -> Path:
    return tmp_path / "env"


def test_the_example_itself_is_fine_with_every_line_uncommented(env_file: Path) -> None:
    lines = (ROOT / ".env.example").read_text().partition("# --- Set by")[0].splitlines()
    text = "\n".join(line.removeprefix("#") for line in lines if not line.startswith("# "))
    assert "HTTP_PORT=" in text
    assert warnings(env_file, text) == []


@pytest.mark.parametrize(
    ("line", "hint"),
    [
        ("HTTP_PROT=8081", "; did you mean HTTP_PORT?"),
        ("http_port=8081", ""),
        ("WSGI_TREADS = 3", "; did you mean WSGI_THREADS?"),
        ("export RATE_LIMITS='3' # few", "; did you mean RATE_LIMIT?"),
        ("SOMETHING_ELSE=1", ""),
    ],
)
def test_an_unknown_name_is_one_line_with_the_closest_known_one(env_file: Path, line: str, hint: str) -> None:
    name = line.removeprefix("export ").partition("=")[0].strip()
    assert warnings(env_file, line) == [f"warning: {name} in .env is no setting of Corkboard{hint}"]


def test_a_misspelt_name_on_the_command_line_is_named_and_other_programs_names_are_not(
    env_file: Path,
) -> None:
    others = {"HTTP_PROXY": "x", "HTTPS_PROXY": "x", "HOSTNAME": "x", "LOGNAME": "x", "NGINX_PORT": "80"}
    done = check(env_file, "", WSGI_WORKRS="3", **others)
    assert done.returncode == 0
    assert done.stderr.splitlines() == [
        "warning: WSGI_WORKRS in the environment is no setting of Corkboard; did you mean WSGI_WORKERS?"
    ]


@pytest.mark.parametrize("line", ["just junk", "HTTP_PORT", "= 3", "HTTP PORT=3", "<html>"])
def test_a_line_that_is_no_setting_is_named_by_its_number_and_not_shown(env_file: Path, line: str) -> None:
    text = f"# first\n\n{line}\nHTTP_PORT=81\n"
    assert warnings(env_file, text) == ["warning: line 3 of .env means nothing: expected NAME=VALUE"]


def test_comments_quotes_and_other_programs_names_are_fine(env_file: Path) -> None:
    text = (
        "  # indented\n\nCOMPOSE_PROJECT_NAME=mine\nLOCUST_USERS=3\n"
        'SECRET_KEY="first line\nsecond = line\nthird"\n'
        "HTTP_PORT='8081' # why\nASGI_REPLICAS = 3   # three\r\nexport RATE_LIMIT=0\n"
    )
    assert warnings(env_file, text) == []


def test_a_name_that_the_stack_sets_itself_has_no_effect_and_that_is_said(env_file: Path) -> None:
    (line,) = warnings(env_file, "REDIS_URL=redis://elsewhere:6379/0\n")
    assert line.startswith("warning: REDIS_URL in .env has no effect")


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("HTTP_PORT", "abc", "a whole number from 1 to 65535"),
        ("HTTP_PORT", "0", "a whole number from 1 to 65535"),
        ("HTTP_PORT", "65536", "a whole number from 1 to 65535"),
        ("HTTP_PORT", "-1", "a whole number from 1 to 65535"),
        ("HTTP_PORT", "80.5", "a whole number from 1 to 65535"),
        ("ASGI_REPLICAS", "33", "a whole number from 1 to 32"),
        ("RATE_LIMIT", "999999", "a whole number from 0 to 100000"),
        ("DRAIN_SECONDS", "soon", "a number from 0 to "),
    ],
)
def test_a_number_out_of_bounds_stops_the_start_with_one_line(
    env_file: Path, name: str, value: str, expected: str
) -> None:
    for done in (check(env_file, f"{name}={value}\n"), check(env_file, "", **{name: value})):
        assert done.returncode == 2
        (line,) = done.stderr.splitlines()
        assert line.startswith(f"{name} is invalid: expected {expected}")
        assert line.endswith(f", not '{value}' (see .env.example)")


def test_the_environment_wins_over_the_file_and_empty_means_the_default(env_file: Path) -> None:
    assert check(env_file, "HTTP_PORT=abc\n", HTTP_PORT="81").returncode == 0
    assert check(env_file, "HTTP_PORT=abc\n", HTTP_PORT="").returncode == 0
    assert check(env_file, "HTTP_PORT=\nHTTP_PORT='81'\nDRAIN_SECONDS=0.5\n").returncode == 0
