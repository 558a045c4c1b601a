"""What `docker compose up --build` takes over from a changed clone, whatever the modes of its files are."""

from __future__ import annotations

import re
import stat
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest

from tests.harness.clients import http
from tests.harness.compose import ComposeStack


@contextmanager
def edited(stack: ComposeStack, name: str, old: str, new: str) -> Iterator[None]:
    """The stack after an upgrade to a clone with that change; afterwards it is as before."""
    file = stack.root / name
    text = file.read_text()
    assert text.count(old) == 1
    file.write_text(text.replace(old, new))
    try:
        stack.upgrade()
        yield
    finally:
        file.write_text(text)
        stack.upgrade()


def style(client: httpx.Client) -> str:
    """The address of the wall's style."""
    return re.findall(r'"(/static/[^"]+/wall.css)"', client.get("/").text)[0]


def started(stack: ComposeStack, service: str) -> str:
    """When the service's first container was started."""
    (time,) = (
        container["State"]["StartedAt"]
        for container in stack.containers().values()
        if container["Config"]["Labels"]["com.docker.compose.service"] == service
    )
    return str(time)


def test_a_clone_that_only_its_owner_can_read_runs(stack: ComposeStack) -> None:
    files = [path for path in stack.root.rglob("*") if path.name != "results"]
    assert not any(stat.S_IMODE(path.stat().st_mode) & 0o077 for path in files)
    with http(stack) as client:
        assert client.get("/readyz").status_code == 200
        assert client.get("/ws/readyz").status_code == 200
        assert client.get(style(client)).status_code == 200


def test_a_changed_template_of_nginx_arrives(stack: ComposeStack) -> None:
    template = "nginx/templates/server.conf.template"
    with edited(stack, template, 'return 200 "ok', 'return 200 "new'):
        assert stack.exec("nginx", "curl", "-s", "http://127.0.0.1:8080/ws/nginx/healthz") == "new\n"


def test_a_changed_static_file_arrives(stack: ComposeStack) -> None:
    file = "wsgi_app/notes/static/wall.css"
    text = (stack.root / file).read_text()
    with http(stack) as client:
        old = style(client)
        before = client.get(old).text
        with edited(stack, file, text, f"changed {{}}\n{text}"):
            assert client.get(style(client)).text.startswith("changed {}")
            # Pages that are open get what belongs to them.
            assert client.get(old).text == before


def test_a_changed_redis_conf_arrives_and_the_data_stays(stack: ComposeStack) -> None:
    stack.redis_cli("set", "kept", "yes")
    with edited(stack, "redis/redis.conf", "maxmemory 256mb", "maxmemory 255mb"):
        assert stack.redis_cli("config", "get", "maxmemory").split() == ["maxmemory", str(255 << 20)]
        assert stack.redis_cli("get", "kept") == "yes"


def test_a_changed_acl_arrives_without_a_restart_of_redis_and_the_passwords_stay(stack: ComposeStack) -> None:
    stack.upgrade()  # what is built the first time may count as another image the second time
    password = stack.exec("wsgi", "cat", "/run/secrets/redis_password")
    before = started(stack, "redis")
    assert "NOPERM" in stack.redis_cli_as("app", password, "DBSIZE")
    with edited(stack, "redis/users.acl", "+fcall_ro", "+fcall_ro +dbsize"):
        assert stack.redis_cli_as("app", password, "DBSIZE").isdigit()
        assert stack.exec("wsgi", "cat", "/run/secrets/redis_password") == password
    assert "NOPERM" in stack.redis_cli_as("app", password, "DBSIZE")
    assert started(stack, "redis") == before


def test_an_acl_that_redis_refuses_ends_the_upgrade_and_is_taken_back(
    stack: ComposeStack,
) -> None:
    stack.upgrade()
    before = started(stack, "redis")
    with (
        pytest.raises(AssertionError, match="secrets\" didn't complete successfully"),
        edited(stack, "redis/users.acl", "+fcall_ro", "+no-such-command"),
    ):
        pass
    stack.upgrade()
    assert started(stack, "redis") == before


def test_an_upgrade_without_a_change_touches_nothing(stack: ComposeStack) -> None:
    before = {service: started(stack, service) for service in ("nginx", "wsgi", "redis")}
    stack.upgrade()
    assert {service: started(stack, service) for service in before} == before
