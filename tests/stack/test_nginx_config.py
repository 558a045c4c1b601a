"""The one configuration is accepted with the values of the containers and with those of the host."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

from local import binaries, render
from local.errors import LocalError
from local.settings import ROOT, Stack

CONTAINER = {
    "NGINX_PORT": "8080",
    "NGINX_RUN_DIR": "",
    "STATIC_DIR": "/srv/static",
    "APP_SERVER": "wsgi:8000",
    "ASGI_SERVERS": "asgi:8001",
    "NGINX_LOCAL_RESOLVERS": "127.0.0.11",
}
HOST = {
    "NGINX_PORT": "8080",
    "NGINX_RUN_DIR": "",
    "STATIC_DIR": "/srv/static",
    "APP_SERVER": "127.0.0.1:20001",
    "ASGI_SERVERS": "127.0.0.1:20002 127.0.0.1:20003",
}
SOCKETS = {"APP_SOCKETS": "/run/a b/1.sock", "ASGI_SOCKETS": "/run/asgi-*/1.sock", "ASGI_REPLICAS": "3"}


@pytest.mark.parametrize("site", ["demo", "app"])
@pytest.mark.parametrize(
    "values",
    [CONTAINER, HOST, CONTAINER | SOCKETS, HOST | SOCKETS],
    ids=["container", "host", "container, sockets", "host, sockets"],
)
def test_nginx_accepts_the_configuration_without_a_warning(
    tmp_path: Path, values: dict[str, str], site: str
) -> None:
    render.render(tmp_path, values | {"NGINX_RUN_DIR": str(tmp_path), "SITE": site})
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
    assert not re.findall(r"\$\{[A-Z_]+\}", text)
    assert "$remote_addr" in text


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("MAX_BODY", value) for value in ("big", "16mb", "m", "-1")),
        ("SITE", "other"),
        ("UPSTREAM_SOCKETS", "udp"),
        *(("APP_SERVER", value) for value in ("web", "web:", "https://web:8000", "web:8000/path", "a:1;")),
    ],
)
def test_an_invalid_setting_is_refused_with_one_line_that_names_it(name: str, value: str) -> None:
    with pytest.raises(LocalError) as refused:
        render.complete(HOST | {name: value}, [name])
    (line,) = str(refused.value).splitlines()
    assert line.startswith(f"{name} is invalid: expected ")
    assert repr(value) in line


@pytest.mark.parametrize("address", ["web:8000", "http://web:8000/", "[::1]:8000", "my_app.internal:80"])
def test_an_app_may_be_anywhere(address: str) -> None:
    (servers,) = render.complete(HOST | {"APP_SERVER": address}, ["NGINX_APP_SERVERS"]).values()
    assert servers.split()[1] == address.removeprefix("http://").removesuffix("/")


def servers(values: dict[str, str]) -> list[list[str]]:
    found = render.complete(values, ["NGINX_APP_SERVERS", "NGINX_ASGI_SERVERS"])
    return [
        [server.strip().removeprefix("server ") for server in text.split(";")[:-1]] for text in found.values()
    ]


def test_sockets_come_first_one_for_each_replica_and_ports_when_none_is_served() -> None:
    app, asgi = servers(CONTAINER | SOCKETS)
    assert app == ['"unix:/run/a b/1.sock" max_fails=0', "wsgi:8000 max_fails=0 resolve backup"]
    assert asgi[:3] == [f'"unix:/run/asgi-{number}/1.sock" max_fails=0' for number in (1, 2, 3)]
    assert asgi[3:] == ["asgi:8001 max_fails=0 resolve backup"]


@pytest.mark.parametrize(("name", "value"), [("UPSTREAM_SOCKETS", "tcp"), ("SITE", "app")])
def test_an_app_elsewhere_is_asked_by_its_port_only(name: str, value: str) -> None:
    app, asgi = servers(CONTAINER | SOCKETS | {name: value})
    assert app == ["wsgi:8000 max_fails=0 resolve"]
    assert (asgi == ["asgi:8001 max_fails=0 resolve"]) is (value == "tcp")


@pytest.mark.parametrize("name", ["RATE_LIMIT", "MAX_BODY", "UPSTREAM_SOCKETS"])
def test_the_defaults_are_those_of_the_table(name: str) -> None:
    (value,) = render.complete(HOST, [name]).values()
    assert value == str(Stack.model_fields[name.lower()].default)


@pytest.mark.parametrize(
    ("given", "rate", "burst"), [("", "100", "400"), ("0", "1", "4"), ("100000", "100000", "400000")]
)
def test_a_burst_is_four_seconds_of_the_rate(given: str, rate: str, burst: str) -> None:
    found = render.complete(HOST | {"RATE_LIMIT": given}, ["NGINX_RATE", "NGINX_BURST"])
    assert found == {"NGINX_RATE": rate, "NGINX_BURST": burst}


def test_there_are_as_many_workers_as_cores_and_at_most_eight() -> None:
    (workers,) = render.complete(HOST, ["NGINX_WORKERS"]).values()
    # Two have the connections that the sockets need.
    assert 2 <= int(workers) <= max(2, min(os.cpu_count() or 1, 8))
    assert render.complete(HOST | {"NGINX_WORKERS": "17"}, ["NGINX_WORKERS"]) == {"NGINX_WORKERS": "17"}


@pytest.mark.parametrize(
    ("given", "refusal"),
    [
        ({"NGINX_WORKERS": "1"}, "ASGI_REPLICAS is invalid: expected at most 1 with MAX_SOCKETS=8000"),
        ({"NGINX_WORKERS": "2", "MAX_SOCKETS": "9000"}, "ASGI_REPLICAS is invalid: expected at most 1 with"),
        (
            {"NGINX_WORKERS": "2", "MAX_SOCKETS": "50000"},
            "MAX_SOCKETS is invalid: expected at most 8000 with ASGI_REPLICAS=2",
        ),
    ],
)
def test_more_sockets_than_nginx_has_connections_for_are_refused(given: dict[str, str], refusal: str) -> None:
    with pytest.raises(LocalError, match=refusal) as refused:
        render.complete(HOST | given, [])
    assert "\n" not in str(refused.value)


def test_there_are_workers_for_as_many_sockets_as_the_sidecars_hold() -> None:
    found = render.complete(HOST | {"ASGI_REPLICAS": "5", "MAX_SOCKETS": "4000"}, ["NGINX_WORKERS"])
    assert int(found["NGINX_WORKERS"]) >= 3


def test_a_request_is_never_sent_twice_when_it_may_not() -> None:
    text = "".join(file.read_text() for file in (ROOT / "nginx" / "templates").glob("*.template"))
    directives = [line for line in text.splitlines() if not line.strip().startswith("#")]
    assert not [line for line in directives if "non_idempotent" in line]
