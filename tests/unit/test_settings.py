"""An invalid setting stops the start with one line that names it."""

from __future__ import annotations

import os
import subprocess
import sys
from types import ModuleType

import pytest
import yaml

import asgi_app.settings
import wsgi_app.settings
from asgi_app import limits
from asgi_app.settings import Settings
from local.services import Service
from local.settings import ROOT
from traces.spans import END_SECONDS

# What a process needs beside the setting in question.
BESIDE = {
    "WSGI_BIND": "127.0.0.1:0",
    "ASGI_HOST": "127.0.0.1",
    "SECRET_KEY": "k" * 32,
    "SESSION_KEY": "s" * 32,
    "CORKBOARD_URL": "redis://127.0.0.1:1/0",
    "CORKBOARD_SECRET_KEY": "k" * 32,
}
WSGI = [sys.executable, "-m", "gunicorn", "-c", "wsgi_app/gunicorn.conf.py", "wsgi_app.app:create_app()"]
ASGI = [sys.executable, "-m", "asgi_app"]


def test_a_process_has_drained_before_it_is_killed() -> None:
    compose = yaml.safe_load((ROOT / "docker-compose.base.yml").read_text())
    grace = int(compose["services"]["server"]["stop_grace_period"].removesuffix("s"))
    killed_after = min(grace, Service.__dataclass_fields__["stop_seconds"].default)
    assert killed_after > limits.DRAIN_SECONDS + limits.LAST_SECONDS + END_SECONDS


def test_none_as_public_topics_is_an_empty_list() -> None:
    assert Settings(public_topics="none").public_topics == ()  # type: ignore[arg-type]
    assert Settings(public_topics="a:*, b").public_topics == ("a:*", "b")  # type: ignore[arg-type]


def check(line: str, app: ModuleType, name: str) -> None:
    assert line.startswith(name)
    assert app is wsgi_app.settings or " is invalid: expected " in line
    assert "secret" not in line
    assert "\n" not in line


@pytest.mark.parametrize(
    ("app", "name", "value"),
    [
        (wsgi_app.settings, "WSGI_WORKERS", "0"),
        (wsgi_app.settings, "WSGI_THREADS", "many"),
        (wsgi_app.settings, "CORKBOARD_HISTORY_LENGTH", "-1"),
        (wsgi_app.settings, "CORKBOARD_TICKET_SECONDS", "1"),
        (wsgi_app.settings, "CORKBOARD_SECRET_KEY", "short"),
        (wsgi_app.settings, "CORKBOARD_SECRET_KEY_FILE", "/nowhere"),
        (wsgi_app.settings, "CORKBOARD_ENV_FILE", "/nowhere"),
        (wsgi_app.settings, "LOG_LEVEL", "loud"),
        (wsgi_app.settings, "CORKBOARD_URL", "http://redis"),
        (wsgi_app.settings, "CORKBOARD_URL", "redis+sentinel://app:secret@one:26379"),
        (wsgi_app.settings, "CORKBOARD_URL", "redis+cluster://app:secret@one"),
        (wsgi_app.settings, "CORKBOARD_WAIT_REPLICAS", "6"),
        (wsgi_app.settings, "SESSION_KEY", "short"),
        (wsgi_app.settings, "SESSION_KEY", ""),
        (wsgi_app.settings, "SESSION_KEY_FILE", "/nowhere"),
        (wsgi_app.settings, "OTEL_EXPORTER_OTLP_ENDPOINT", "collector:4318"),
        (asgi_app.settings, "OTEL_EXPORTER_OTLP_ENDPOINT", "http://user:secret@collector:4318"),
        (asgi_app.settings, "OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector:port"),
        (asgi_app.settings, "SECRET_KEY", "short"),
        (asgi_app.settings, "ASGI_PORT", "abc"),
        (asgi_app.settings, "DRAIN_SECONDS", "21"),
        (asgi_app.settings, "LOG_LEVEL", "loud"),
        (asgi_app.settings, "REDIS_URL", "redis://user:secret@redis"),
        (asgi_app.settings, "REDIS_URL", "redis+sentinel://one:26379,two/corkboard"),
        (asgi_app.settings, "REDIS_URL", "redis+cluster://one:6379/0"),
        (asgi_app.settings, "REDIS_PASSWORD_FILE", "/nowhere"),
    ],
    ids=lambda value: value.__name__ if isinstance(value, ModuleType) else value,
)
def test_an_invalid_setting_is_named_in_one_line(
    monkeypatch: pytest.MonkeyPatch, app: ModuleType, name: str, value: str
) -> None:
    for one, well in (beside(name) | {name: value}).items():
        monkeypatch.setenv(one, well)
    app.load.cache_clear()
    with pytest.raises(SystemExit) as stopped:
        app.load()
    check(str(stopped.value.code), app, name)


# Where a process reads them is the same for all.
@pytest.mark.parametrize(
    ("command", "app", "name", "value"),
    [
        (WSGI, wsgi_app.settings, "WSGI_WORKERS", "0"),
        (WSGI, wsgi_app.settings, "CORKBOARD_URL", "http://redis"),
        (ASGI, asgi_app.settings, "REDIS_URL", "redis://user:secret@redis"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_an_invalid_setting_stops_the_start(
    command: list[str], app: ModuleType, name: str, value: str
) -> None:
    done = subprocess.run(
        command,
        env={**os.environ, **beside(name), name: value},
        capture_output=True,
        text=True,
        timeout=120,
        cwd=ROOT,
        check=False,
    )
    assert done.returncode != 0
    assert "Traceback" not in done.stdout + done.stderr
    check(done.stderr.strip(), app, name)


def beside(name: str) -> dict[str, str]:
    """The other settings. A file counts only where the value itself is not set."""
    return {other: value for other, value in BESIDE.items() if other != name.removesuffix("_FILE")}
