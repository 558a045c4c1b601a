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


@pytest.fixture(scope="module")
def settled(stack: ComposeStack) -> ComposeStack:
    """The stack after an upgrade: what is built the first time may count as another image the second time."""
    stack.upgrade()
    return stack


@contextmanager
def edited(stack: ComposeStack, *edits: tuple[str, str, str]) -> Iterator[None]:
    """The stack after an upgrade to a clone with those changes; afterwards it is as before."""
    before = {name: (stack.root / name).read_text() for name, _, _ in edits}
    try:
        for name, old, new in edits:
            assert before[name].count(old) == 1
            (stack.root / name).write_text(before[name].replace(old, new))
        stack.upgrade()
        yield
    finally:
        for name, text in before.items():
            (stack.root / name).write_text(text)
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


def test_templates_static_files_and_users_arrive_without_a_restart_of_redis_and_the_passwords_stay(
    settled: ComposeStack,
) -> None:
    stack, css = settled, "wsgi_app/notes/static/wall.css"
    password = stack.exec("wsgi", "cat", "/run/secrets/redis_password")
    before, text = started(stack, "redis"), (stack.root / css).read_text()
    assert "NOPERM" in stack.redis_cli_as("app", password, "DBSIZE")
    with http(stack) as client:
        old = style(client)
        old_text = client.get(old).text
    with edited(
        stack,
        ("nginx/templates/server.conf.template", 'return 200 "ok', 'return 200 "new'),
        (css, text, f"changed{{}}\n{text}"),
        ("redis/users.acl", "+fcall_ro", "+fcall_ro +dbsize"),
    ):
        assert stack.exec("nginx", "curl", "-s", "http://127.0.0.1:8080/ws/nginx/healthz") == "new\n"
        with http(stack) as client:
            assert client.get(style(client)).text.startswith("changed{}")
            # Pages that are open get what belongs to them.
            assert client.get(old).text == old_text
        assert stack.redis_cli_as("app", password, "DBSIZE").isdigit()
        assert stack.exec("wsgi", "cat", "/run/secrets/redis_password") == password
    assert "NOPERM" in stack.redis_cli_as("app", password, "DBSIZE")
    assert started(stack, "redis") == before


def test_an_acl_that_redis_refuses_ends_the_upgrade_and_is_taken_back(settled: ComposeStack) -> None:
    before = started(settled, "redis")
    with (
        pytest.raises(AssertionError, match="secrets\" didn't complete successfully"),
        edited(settled, ("redis/users.acl", "+fcall_ro", "+no-such-command")),
    ):
        pass
    assert started(settled, "redis") == before


def test_an_upgrade_without_a_change_touches_nothing(settled: ComposeStack) -> None:
    before = {service: started(settled, service) for service in ("nginx", "wsgi", "redis")}
    settled.upgrade()
    assert {service: started(settled, service) for service in before} == before
