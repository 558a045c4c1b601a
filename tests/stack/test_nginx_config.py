"""The one configuration is accepted with the values of the containers and with those of the host."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from local import binaries, render
from local.settings import ROOT

CONTAINER = {
    "NGINX_PORT": "8080",
    "NGINX_RUN_DIR": "",
    "STATIC_DIR": "/srv/static",
    "WSGI_SERVERS": "server wsgi:8000 resolve;",
    "ASGI_SERVERS": "server asgi:8001 resolve max_fails=0;",
    "NGINX_LOCAL_RESOLVERS": "127.0.0.11",
    "RATE_LIMIT": "20",
    "RATE_LIMIT_RATE": "20",
    "RATE_LIMIT_BURST": "80",
}
HOST = CONTAINER | {
    "WSGI_SERVERS": "server 127.0.0.1:20001;",
    "ASGI_SERVERS": "server 127.0.0.1:20002; server 127.0.0.1:20003;",
    "NGINX_LOCAL_RESOLVERS": "127.0.0.1",
}


@pytest.mark.parametrize("values", [CONTAINER, HOST], ids=["container", "host"])
def test_nginx_accepts_the_configuration_without_a_warning(tmp_path: Path, values: dict[str, str]) -> None:
    render.render(tmp_path, values | {"NGINX_RUN_DIR": str(tmp_path)})
    command = [
        binaries.nginx(),
        "-e",
        "stderr",
        "-p",
        str(tmp_path),
        "-c",
        str(tmp_path / "nginx.conf"),
        "-t",
    ]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    assert "[" not in result.stderr


def test_every_variable_is_replaced_and_no_other(tmp_path: Path) -> None:
    render.render(tmp_path, CONTAINER | {"NGINX_RUN_DIR": str(tmp_path)})
    text = "".join(file.read_text() for file in tmp_path.glob("*.conf"))
    for name in CONTAINER:
        assert f"${{{name}}}" not in text
    assert "$remote_addr" in text


def test_a_request_is_never_sent_twice_when_it_may_not() -> None:
    text = "".join(file.read_text() for file in (ROOT / "nginx" / "templates").glob("*.template"))
    directives = [line for line in text.splitlines() if not line.strip().startswith("#")]
    assert not [line for line in directives if "non_idempotent" in line]
