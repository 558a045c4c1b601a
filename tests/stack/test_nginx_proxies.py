"""Behind something that ends TLS: who the client is, and that it came by https."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.harness.clients import http
from tests.harness.local import LocalStack

CAME_BY_HTTPS = {"X-Forwarded-Proto": "https", "X-Forwarded-For": "203.0.113.7"}


@pytest.fixture(scope="module")
def behind() -> Iterator[LocalStack]:
    with LocalStack({"TRUSTED_PROXIES": "127.0.0.1"}) as stack:
        yield stack


def cookie(stack: LocalStack, headers: dict[str, str]) -> str:
    with http(stack) as client:
        return client.post("/api/tickets", headers=headers).headers["set-cookie"]


def test_a_cookie_is_secure_where_a_trusted_proxy_says_https(behind: LocalStack) -> None:
    assert "Secure" in cookie(behind, CAME_BY_HTTPS)
    assert "Secure" not in cookie(behind, {})


def test_a_client_that_nobody_trusts_cannot_say_so(local_stack: LocalStack) -> None:
    assert "Secure" not in cookie(local_stack, CAME_BY_HTTPS)
