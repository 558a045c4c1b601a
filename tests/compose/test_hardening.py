"""What the deployment promises about its containers, read back from the engine."""

from __future__ import annotations

import json
import re
import socket
import subprocess
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.harness.clients import http, wait_for
from tests.harness.compose import ComposeStack

SERVICES = ["nginx", "wsgi", "asgi", "redis"]


def hosts(stack: ComposeStack, service: str | None = None) -> list[dict[str, Any]]:
    """The engine's view of the containers of one service, or of all."""
    return [
        container
        for container in stack.containers().values()
        if service in (None, container["Config"]["Labels"]["com.docker.compose.service"])
    ]


@pytest.mark.parametrize("service", SERVICES)
def test_no_service_runs_as_root(stack: ComposeStack, service: str) -> None:
    assert stack.exec(service, "id", "-u").strip() != "0"


def test_every_root_filesystem_is_read_only(stack: ComposeStack) -> None:
    assert all(container["HostConfig"]["ReadonlyRootfs"] for container in hosts(stack))


def test_no_container_holds_a_capability_or_can_gain_one(stack: ComposeStack) -> None:
    for container in hosts(stack):
        assert container["HostConfig"]["CapDrop"] == ["ALL"]
        assert not container["HostConfig"]["CapAdd"]
        assert container["HostConfig"]["SecurityOpt"] == ["no-new-privileges:true"]


def test_what_runs_once_or_beside_it_holds_no_right_either(stack: ComposeStack) -> None:
    """Of every Compose file, and also what has ended by now: the engine is asked before it starts."""
    beside = ("", "tls", "loadtest", "observability")
    files = [f"--file=docker-compose.{name}.yml".replace("..", ".") for name in beside]
    services = json.loads(stack.compose(*files, "config", "--format=json"))["services"]
    assert {"secrets", "loadtest-results", "grafana"} < services.keys()
    for name, service in services.items():
        assert service["read_only"], name
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert int(service["mem_limit"]) > 0, name
        assert service["pids_limit"] > 0, name
        assert "privileged" not in service, name
    # The folder on the host may be anybody's; so this one gets no network.
    assert {name for name, one in services.items() if "cap_add" in one} == {"loadtest-results"}
    assert services["loadtest-results"]["cap_add"] == ["FOWNER"]
    assert services["loadtest-results"]["network_mode"] == "none"
    # Only the networks without a way out, where one is needed.
    assert set(services["secrets"]["networks"]) == {"back"}


def test_no_container_shares_anything_of_the_host(stack: ComposeStack) -> None:
    for container in hosts(stack):
        assert not container["HostConfig"]["Privileged"]
        assert container["HostConfig"]["PidMode"] != "host"
        assert container["HostConfig"]["NetworkMode"] != "host"
        assert all(mount["Type"] == "volume" or not mount["RW"] for mount in container["Mounts"])
        assert not any("docker.sock" in mount["Source"] for mount in container["Mounts"])


def test_memory_processes_and_logs_are_bounded(stack: ComposeStack) -> None:
    for container in hosts(stack):
        limits = container["HostConfig"]
        assert limits["Memory"] > 0
        assert limits["PidsLimit"] > 0
        assert limits["LogConfig"]["Config"]["max-size"]


def test_the_kernel_keeps_little_for_a_client_that_stops_reading(stack: ComposeStack) -> None:
    def queued() -> int:
        # Local address, remote address, state, what is not acknowledged: all in hexadecimal.
        lines = [line.split() for line in stack.exec("nginx", "cat", "/proc/net/tcp").splitlines()[1:]]
        return max(int(line[4].partition(":")[0], 16) for line in lines if line[1].endswith(":1F90"))

    with http(stack) as client:
        (script,) = re.findall(r'"(/static/[^"]+/main.js)"', client.get("/").text)
    with socket.create_connection(("127.0.0.1", urlsplit(stack.base_url).port), timeout=30) as reader:
        reader.sendall(f"GET {script} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode() * 900)
        # Who reads fast at first is trusted with more.
        for _ in range(50):
            reader.recv(100_000)
        wait_for(lambda: 2**16 < queued() == queued(), "nginx to wait for the client")
        assert queued() < 2**19


@pytest.mark.parametrize("service", SERVICES)
def test_processor_time_and_open_files_are_bounded(stack: ComposeStack, service: str) -> None:
    for container in hosts(stack, service):
        assert container["HostConfig"]["NanoCpus"] or container["HostConfig"]["CpuQuota"]
        assert [limit["Name"] for limit in container["HostConfig"]["Ulimits"]] == ["nofile"]


def test_only_nginx_is_published(stack: ComposeStack) -> None:
    published = {
        container["Config"]["Labels"]["com.docker.compose.service"]
        for container in hosts(stack)
        if any(container["NetworkSettings"]["Ports"].values())
    }
    assert published == {"nginx"}


def test_redis_is_on_a_network_without_a_way_out_and_nginx_is_not_on_it(stack: ComposeStack) -> None:
    back = f"{stack.project}_back"
    answer = subprocess.run(
        ["docker", "network", "inspect", back], check=True, capture_output=True, text=True
    )
    assert json.loads(answer.stdout)[0]["Internal"]
    assert [set(container["NetworkSettings"]["Networks"]) for container in hosts(stack, "redis")] == [{back}]
    assert [set(container["NetworkSettings"]["Networks"]) for container in hosts(stack, "nginx")] == [
        {f"{stack.project}_front"}
    ]


def test_redis_turns_away_who_has_no_user(stack: ComposeStack) -> None:
    assert "NOAUTH" in stack.exec("redis", "redis-cli", "PING")


@pytest.mark.parametrize("service", ["wsgi", "asgi"])
def test_an_app_may_do_no_more_than_its_work(stack: ComposeStack, service: str) -> None:
    password = stack.exec(service, "cat", "/run/secrets/redis_password")
    user = {"wsgi": "app"}.get(service, service)
    assert stack.redis_cli_as(user, password, "PING") == "PONG"
    for command in ("CONFIG GET *", "FLUSHALL", "EVAL return 0", "KEYS *"):
        assert "NOPERM" in stack.redis_cli_as(user, password, *command.split()), command


def test_the_healthcheck_user_may_only_ping(stack: ComposeStack) -> None:
    assert stack.redis_cli_as("health", "x", "PING") == "PONG"
    assert "NOPERM" in stack.redis_cli_as("health", "x", "ACL", "WHOAMI")


def test_each_service_sees_its_own_secrets_only_and_none_is_in_the_environment(stack: ComposeStack) -> None:
    secrets = {}
    for service in ("wsgi", "asgi", "redis"):
        files = stack.exec(service, "sh", "-c", "cd /run/secrets && ls").split()
        secrets[service] = {name: stack.exec(service, "cat", f"/run/secrets/{name}") for name in files}
    assert secrets["wsgi"]["redis_password"] not in secrets["asgi"].values()
    of_redis = {"admin_password", "replica_password", "sentinel_password", "users.acl", "sentinel-users.acl"}
    assert set(secrets["redis"]) == of_redis
    shown = json.dumps(hosts(stack)) + stack.compose("config")
    assert not [
        name for files in secrets.values() for name, secret in files.items() if secret.strip() in shown
    ]
