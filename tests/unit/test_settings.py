"""An invalid setting stops the start with one line that names it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

WSGI = [sys.executable, "-m", "gunicorn", "-c", "wsgi_app/gunicorn.conf.py", "wsgi_app.app:create_app()"]
ASGI = [sys.executable, "-m", "asgi_app"]


@pytest.mark.parametrize(
    ("command", "name", "value"),
    [
        (WSGI, "WSGI_WORKERS", "0"),
        (WSGI, "WSGI_THREADS", "many"),
        (WSGI, "HISTORY_LENGTH", "-1"),
        (WSGI, "LOG_LEVEL", "loud"),
        (WSGI, "REDIS_URL", "http://redis"),
        (WSGI, "SECRET_KEY", "short"),
        (WSGI, "SECRET_KEY", ""),
        (ASGI, "SECRET_KEY", "short"),
        (WSGI, "REDIS_PASSWORD_FILE", "/nowhere"),
        (WSGI, "FUNCTIONS_FILE", "/nowhere"),
        (ASGI, "ASGI_PORT", "abc"),
        (ASGI, "LOG_LEVEL", "loud"),
        (ASGI, "REDIS_URL", "redis://user:secret@redis"),
        (ASGI, "REDIS_PASSWORD_FILE", "/nowhere"),
    ],
    ids=lambda value: value if isinstance(value, str) else value[2],
)
def test_an_invalid_setting_stops_the_start(command: list[str], name: str, value: str) -> None:
    settings = {"WSGI_BIND": "127.0.0.1:0", "ASGI_HOST": "127.0.0.1", "SECRET_KEY": "k" * 32}
    env = {**os.environ, **settings, name: value}
    done = subprocess.run(
        command,
        env=env,
        capture_output=True,
        text=True,
        timeout=120,
        cwd=Path(__file__).parents[2],
        check=False,
    )
    assert done.returncode != 0
    assert "Traceback" not in done.stdout + done.stderr
    (line,) = done.stderr.strip().splitlines()
    assert line.startswith(name)
    assert "secret" not in line
