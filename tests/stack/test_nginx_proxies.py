"""Behind something that ends TLS: who the client is, and that it came by https."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest

from tests.harness.clients import http, wait_for
from tests.harness.compose import ComposeStack
from tests.harness.local import LocalStack
from tests.harness.stack import Stack

# Where this test's requests come from, in containers: the engine's own addresses.
PROXIES = {"local": "127.0.0.1", "compose": "127.0.0.0/8,172.16.0.0/12,192.168.0.0/16,10.0.0.0/8"}
CAME_BY_HTTPS = {"X-Forwarded-Proto": "https", "X-Forwarded-For": "203.0.113.7"}
NOTE = {"board": "proxies", "text": "again"}


@pytest.fixture(scope="module", params=["local", "compose"])
def behind(request: pytest.FixtureRequest) -> Iterator[Stack]:
    """A stack that believes what this test says, and lets an address write twice a second."""
    settings = {"TRUSTED_PROXIES": PROXIES[request.param], "RATE_LIMIT": "2"}
    if request.param == "local":
        with LocalStack(settings) as own:
            yield own
        return
    stack: ComposeStack = request.getfixturevalue("compose_stack")
    before = dict(stack.environment)
    try:
        stack.environment |= settings
        stack.recreate("nginx")
        yield stack
    finally:
        stack.environment = before
        stack.recreate("nginx")


def cookies(stack: Stack, headers: dict[str, str]) -> list[str]:
    with http(stack) as client:
        return client.post("/api/tickets", headers=headers).headers.get_list("set-cookie")


def until_refused(stack: Stack, forwarded_for: str) -> None:
    """Writes as that client until it has used up its share."""
    with http(stack, headers={"X-Forwarded-For": forwarded_for}) as client:
        wait_for(lambda: client.post("/api/notes", json=NOTE).status_code == 429, "the end of its share")


def test_every_cookie_is_secure_where_a_trusted_proxy_says_https(behind: Stack) -> None:
    found = cookies(behind, CAME_BY_HTTPS)
    assert found
    assert all("; Secure" in cookie for cookie in found)
    assert not any("; Secure" in cookie for cookie in cookies(behind, {"X-Forwarded-For": "203.0.113.8"}))


def test_each_client_of_a_trusted_proxy_has_limits_of_its_own(behind: Stack) -> None:
    until_refused(behind, "203.0.113.20")
    with http(behind, headers={"X-Forwarded-For": "203.0.113.21"}) as other:
        assert other.post("/api/notes", json=NOTE).status_code == 201


def test_what_a_client_put_before_the_proxys_word_does_not_count(behind: Stack) -> None:
    until_refused(behind, "203.0.113.30")
    with http(behind) as client:

        def pretend() -> int:
            claimed = f"198.51.100.{secrets.randbelow(256)}, 203.0.113.30"
            return client.post("/api/notes", json=NOTE, headers={"X-Forwarded-For": claimed}).status_code

        # Another address each time, yet the same client: of so many in a row at most a few pass.
        assert [pretend() for _ in range(20)].count(429) >= 10


def test_the_log_names_the_client_and_not_the_proxy(behind: Stack) -> None:
    mark = f"proxied-{secrets.token_hex(8)}"
    with http(behind) as client:
        client.get("/readyz", headers={"X-Request-Id": mark, "X-Forwarded-For": "203.0.113.40"})
    line = wait_for(
        lambda: next((line for line in behind.logs("nginx").splitlines() if mark in line), None), "its line"
    )
    assert '"client":"203.0.113.40"' in line


def test_a_page_behind_a_trusted_proxy_may_connect_by_the_scheme_that_it_came_by(behind: Stack) -> None:
    host = urlsplit(behind.base_url).netloc
    with http(behind) as client:
        for scheme, headers in (("https", CAME_BY_HTTPS), ("http", {})):
            for origin in ("https", "http"):
                query = {"topic": "board:main", "timeout": "0"}
                page = {**headers, "Origin": f"{origin}://{host}"}
                answer = client.get("/ws/poll", params=query, headers=page)
                assert answer.status_code == (200 if origin == scheme else 403)
