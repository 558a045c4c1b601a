"""An invalid setting stops the start with one line that names it."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
import yaml

from asgi_app import limits
from asgi_app.settings import Settings
from local.services import Service
from local.settings import ROOT

WSGI = [sys.executable, "-m", "gunicorn", "-c", "wsgi_app/gunicorn.conf.py", "wsgi_app.app:create_app()"]
ASGI = [sys.executable, "-m", "asgi_app"]


def test_a_process_has_drained_before_it_is_killed() -> None:
    compose = yaml.safe_load((ROOT / "docker-compose.base.yml").read_text())
    grace = int(compose["services"]["server"]["stop_grace_period"].removesuffix("s"))
    killed_after = min(grace, Service.__dataclass_fields__["stop_seconds"].default)
    assert killed_after > limits.DRAIN_SECONDS + limits.LAST_SECONDS


def test_none_as_public_topics_is_an_empty_list() -> None:
    assert Settings(public_topics="none").public_topics == ()  # type: ignore[arg-type]
    assert Settings(public_topics="a:*, b").public_topics == ("a:*", "b")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("command", "name", "value"),
    [
        (WSGI, "WSGI_WORKERS", "0"),
        (WSGI, "WSGI_THREADS", "many"),
        (WSGI, "CORKBOARD_HISTORY_LENGTH", "-1"),
        (WSGI, "CORKBOARD_TICKET_SECONDS", "1"),
        (WSGI, "CORKBOARD_SECRET_KEY", "short"),
        (WSGI, "CORKBOARD_SECRET_KEY_FILE", "/nowhere"),
        (WSGI, "CORKBOARD_ENV_FILE", "/nowhere"),
        (WSGI, "LOG_LEVEL", "loud"),
        (WSGI, "CORKBOARD_URL", "http://redis"),
        (WSGI, "SESSION_KEY", "short"),
        (WSGI, "SESSION_KEY", ""),
        (ASGI, "SECRET_KEY", "short"),
        (WSGI, "SESSION_KEY_FILE", "/nowhere"),
        (ASGI, "ASGI_PORT", "abc"),
        (ASGI, "DRAIN_SECONDS", "21"),
        (ASGI, "LOG_LEVEL", "loud"),
        (ASGI, "REDIS_URL", "redis://user:secret@redis"),
        (ASGI, "REDIS_URL", "redis+sentinel://one:26379,two/corkboard"),
        (WSGI, "CORKBOARD_URL", "redis+sentinel://app:secret@one:26379"),
        (WSGI, "CORKBOARD_WAIT_REPLICAS", "6"),
        (ASGI, "REDIS_PASSWORD_FILE", "/nowhere"),
    ],
    ids=lambda value: value if isinstance(value, str) else value[2],
)
def test_an_invalid_setting_stops_the_start(command: list[str], name: str, value: str) -> None:
    settings = {
        "WSGI_BIND": "127.0.0.1:0",
        "ASGI_HOST": "127.0.0.1",
        "SECRET_KEY": "k" * 32,
        "SESSION_KEY": "s" * 32,
        "CORKBOARD_URL": "redis://127.0.0.1:1/0",
        "CORKBOARD_SECRET_KEY": "k" * 32,
    }
    # A file counts only where the value itself is not set.
    settings.pop(name.removesuffix("_FILE"), None)
    env = {**os.environ, **settings, name: value}
    done = subprocess.run(
        command,
        env=env,
        capture_output=True,
        text=True,
        timeout=120,
        cwd=ROOT,
        check=False,
    )
    assert done.returncode != 0
    assert "Traceback" not in done.stdout + done.stderr
    (line,) = done.stderr.strip().splitlines()
    assert line.startswith(name)
    assert command is WSGI or " is invalid: expected " in line
    assert "secret" not in line
