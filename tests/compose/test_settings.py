"""How a container takes its settings, where no `make up` has looked at them before."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from asgi_app import limits
from tests.harness.compose import ComposeStack


def nginx(stack: ComposeStack, *options: str, command: str) -> subprocess.CompletedProcess[str]:
    """A shell command in a container of nginx' image, after its entrypoint's scripts."""
    addresses = ["-e", "APP_SERVER=a:1", "-e", "ASGI_SERVERS=b:1"]
    run = ["docker", "run", "--rm", "--tmpfs=/run/nginx:uid=101", *addresses, *options]
    image = f"{stack.project}-nginx"
    return subprocess.run(
        [*run, image, "nginx", *command.split()], capture_output=True, text=True, timeout=60, check=False
    )


@pytest.mark.parametrize(
    ("name", "value"), [("RATE_LIMIT", "999999"), ("RATE_LIMIT", "fast"), ("NGINX_WORKERS", "0")]
)
def test_an_invalid_setting_of_nginx_is_one_line_that_names_it(
    stack: ComposeStack, name: str, value: str
) -> None:
    result = nginx(stack, "-e", f"{name}={value}", command="-v")
    assert result.returncode != 0
    (line,) = (line for line in result.stderr.splitlines() if name in line)
    assert line.startswith(f"{name} is invalid: expected a whole number from ")
    assert repr(value) in line
    assert "nginx version" not in result.stderr


@pytest.mark.parametrize(
    ("options", "workers"),
    [(["--cpus=0.5", "-e", "ASGI_REPLICAS=1"], "1"), (["--cpus=2"], "2"), (["-e", "NGINX_WORKERS=5"], "5")],
    ids=["half a core", "two cores", "set"],
)
def test_nginx_has_as_many_workers_as_its_quota_has_cores(
    stack: ComposeStack, options: list[str], workers: str
) -> None:
    shown = nginx(stack, *options, command="-T -c /run/nginx/nginx.conf").stdout
    assert f"worker_processes {workers};" in shown


@pytest.mark.parametrize(
    ("name", "value", "most"), [("ASGI_REPLICAS", "3", "1"), ("MAX_SOCKETS", "100000", "7021")]
)
def test_more_sockets_than_fit_into_nginx_stop_its_start(
    stack: ComposeStack, name: str, value: str, most: str
) -> None:
    result = nginx(stack, "--memory=512m", "-e", f"{name}={value}", command="-v")
    assert result.returncode != 0
    (line,) = (line for line in result.stderr.splitlines() if name in line)
    assert line.startswith(f"{name} is invalid: expected at most {most} with ")
    assert "512 MiB" in line
    assert "nginx version" not in result.stderr


def test_more_sidecars_than_fit_into_the_machine_stop_its_start(stack: ComposeStack, tmp_path: Path) -> None:
    (tmp_path / "meminfo").write_text(f"MemTotal: {2**20} kB\n")
    options = [
        f"--volume={tmp_path}/meminfo:/proc/meminfo:ro",
        "-e",
        "ASGI_REPLICAS=9",
        "-e",
        "MAX_SOCKETS=100",
    ]
    most = 2**30 // (limits.PROCESS_BYTES + 100 * limits.SOCKET_BYTES)
    result = nginx(stack, *options, command="-v")
    assert result.returncode != 0
    (line,) = (line for line in result.stderr.splitlines() if "ASGI_REPLICAS" in line)
    assert line.startswith(f"ASGI_REPLICAS is invalid: expected at most {most} with MAX_SOCKETS=100 each, ")
    assert "the machine's 1024 MiB" in line
    # On several machines nobody knows.
    assert nginx(stack, *options, "-e", "UPSTREAM_SOCKETS=tcp", command="-v").returncode == 0


@pytest.mark.parametrize("overlay", ["dev", "loadtest", "tls", "observability"])
def test_compose_accepts_each_overlay(stack: ComposeStack, overlay: str) -> None:
    files = ["-f", "docker-compose.yml", "-f", f"docker-compose.{overlay}.yml"]
    assert "nginx" in stack.compose(*files, "config", "--services")


@pytest.mark.parametrize(
    ("service", "name", "value", "most"),
    [("wsgi", "WSGI_WORKERS", "64", "9"), ("asgi", "MAX_SOCKETS", "100000", "20480")],
)
def test_what_does_not_fit_into_the_container_stops_the_start_with_the_number_that_would(
    stack: ComposeStack, service: str, name: str, value: str, most: str
) -> None:
    environment = {name: value, "SECRET_KEY": "k" * 32, "CORKBOARD_URL": "redis://a:b@c:1/0"}
    environment |= {"CORKBOARD_SECRET_KEY": "k" * 32, "SESSION_KEY": "s" * 32}
    given = [word for pair in environment.items() for word in ("-e", "=".join(pair))]
    run = [
        "docker",
        "run",
        "--rm",
        "--init",
        "--memory=512m",
        "--tmpfs=/tmp",
        *given,
        f"{stack.project}-{service}",
    ]
    done = subprocess.run(run, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode != 0
    (line,) = done.stderr.strip().splitlines()
    assert line.startswith(f"{name} is invalid: expected at most {most}")
    assert f"not {value} (see .env.example)" in line
