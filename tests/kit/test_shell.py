"""`python -m corkboard`: what a shell, a cron job or a newcomer has."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from local.settings import ROOT
from tests.harness.redis_server import RedisServer


def corkboard(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """The command, with nothing set but what is given."""
    return subprocess.run(
        [sys.executable, "-m", "corkboard", *words],
        env={"PYTHONPATH": str(ROOT), **environment},
        cwd="/",
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.fixture
def app_env(server: RedisServer) -> str:
    return str(server.app_env)


def test_publish_prints_the_id(server: RedisServer, app_env: str, topic: str) -> None:
    done = corkboard("publish", topic, "cron.ran", '{"rows": 3}', "--key", "k", CORKBOARD_ENV_FILE=app_env)
    again = corkboard("publish", topic, "cron.ran", "--key", "k", CORKBOARD_ENV_FILE=app_env)
    assert (done.returncode, done.stderr) == (0, "")
    (event,) = server.events(topic)
    assert event["id"] == done.stdout.strip() == again.stdout.strip()
    assert (event["type"], event["data"]) == ("cron.ran", {"rows": 3})


def test_revoke_works_from_a_shell(server: RedisServer, app_env: str) -> None:
    done = corkboard("revoke", "user-7", CORKBOARD_ENV_FILE=app_env)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert server.client().zscore("revoked:{control}", "user-7")


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (["publish", "no topic", "x"], "not a topic"),
        (["publish", "a", "x", "{"], "JSON"),
        (["publish", "a"], "type"),
        (["revoke", ""], "subject"),
        (["nonsense"], "nonsense"),
        ([], "command"),
    ],
)
def test_a_wrong_call_says_what_is_wrong_without_a_traceback(
    app_env: str, words: list[str], problem: str
) -> None:
    done = corkboard(*words, CORKBOARD_ENV_FILE=app_env)
    assert done.returncode in (1, 2)
    assert problem in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("words", [["publish", "a", "x"], ["revoke", "somebody"]])
def test_without_a_configuration_or_a_server_the_next_step_is_named(words: list[str]) -> None:
    done = corkboard(*words)
    assert (done.returncode, done.stdout) == (1, "")
    assert "make up" in done.stderr
    done = corkboard(*words, CORKBOARD_URL="redis://127.0.0.1:1/0")
    assert done.returncode == 1
    assert "127.0.0.1:1" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_doctor_finds_nothing_wrong_with_a_server_that_works(app_env: str) -> None:
    done = corkboard("doctor", CORKBOARD_ENV_FILE=app_env)
    assert done.returncode == 0, done.stdout
    assert app_env in done.stdout
    assert "an event was published" in done.stdout
    assert "--site" in done.stdout


def test_the_doctor_says_that_nothing_is_configured() -> None:
    done = corkboard("doctor")
    assert done.returncode == 1
    assert done.stdout.startswith("FAIL  CORKBOARD_URL is not set")
    assert "make up" in done.stdout


def test_the_doctor_says_that_no_server_answers(tmp_path: Path) -> None:
    file = tmp_path / "app.env"
    file.write_text(f"CORKBOARD_URL=redis://app:x@127.0.0.1:1/0\nCORKBOARD_SECRET_KEY={'k' * 32}\n")
    done = corkboard("doctor", CORKBOARD_ENV_FILE=str(file))
    assert done.returncode == 1
    assert "FAIL  Redis at 127.0.0.1:1: Redis does not answer" in done.stdout
    assert "make status" in done.stdout


def test_the_doctor_says_that_the_password_is_wrong(server: RedisServer) -> None:
    url = f"redis://app:wrong@127.0.0.1:{server.port}/0"
    done = corkboard("doctor", CORKBOARD_URL=url, CORKBOARD_SECRET_KEY="k" * 32)
    assert done.returncode == 1
    assert "the password in the environment is another Corkboard's" in done.stdout
    assert "wrong" not in done.stdout


def test_the_doctor_says_that_the_functions_cannot_be_loaded(server: RedisServer) -> None:
    password = (server.folder / "asgi" / "redis_password").read_text()
    url = f"redis://asgi:{password}@127.0.0.1:{server.port}/0"
    done = corkboard("doctor", CORKBOARD_URL=url, CORKBOARD_SECRET_KEY="k" * 32)
    assert done.returncode == 1
    assert "Redis refuses the functions" in done.stdout
    assert password not in done.stdout


def test_the_doctor_says_that_the_kit_is_off() -> None:
    done = corkboard("doctor", CORKBOARD_URL="off")
    assert done.returncode == 0
    assert "nothing is sent" in done.stdout


@pytest.mark.parametrize("site", ["localhost:8080", "ftp://localhost", "http:///x"])
def test_the_doctor_says_that_an_address_is_none(app_env: str, site: str) -> None:
    done = corkboard("doctor", "--site", site, CORKBOARD_ENV_FILE=app_env)
    assert done.returncode == 1
    assert f"--site {site} is invalid" in done.stdout


def test_the_doctor_says_that_the_site_does_not_answer(app_env: str) -> None:
    done = corkboard("doctor", "--site", "http://127.0.0.1:1", CORKBOARD_ENV_FILE=app_env)
    assert done.returncode == 1
    assert "http://127.0.0.1:1 does not answer" in done.stdout


def test_the_app_env_is_what_a_shell_reads(server: RedisServer) -> None:
    found = subprocess.run(
        [
            "sh",
            "-c",
            '. "$1"; printf "%s\n%s" "$CORKBOARD_URL" "$CORKBOARD_SECRET_KEY"',
            "sh",
            server.app_env,
        ],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()
    password = (server.folder / "app" / "redis_password").read_text()
    assert found[0] == f"redis://app:{password}@127.0.0.1:{server.port}/0"
    assert found[1] == (server.folder / "app" / "secret_key").read_text()
    assert server.app_env.stat().st_mode & 0o777 == 0o600


def test_a_key_of_ones_own_reaches_the_kit_whatever_its_characters(tmp_path: Path) -> None:
    key = r"""it's-"$HOME"-`id`-\n-\\-#-%s-and-more"""
    given = {"PATH": os.environ["PATH"], "SECRET_KEY": f"\n{key}\n{'o' * 32}\n"}
    script = ROOT / "redis" / "secrets.sh"
    subprocess.run(["sh", script, tmp_path, "127.0.0.1:1", tmp_path / "app.env"], env=given, check=True)
    code = "from corkboard import settings; print(settings.load().keys)"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={"PYTHONPATH": str(ROOT), "CORKBOARD_ENV_FILE": str(tmp_path / "app.env")},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == f"{(key,)}\n"
    assert [(tmp_path / name).stat().st_mode & 0o777 for name in ("app", "asgi", "redis")] == [0o700] * 3
