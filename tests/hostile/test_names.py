"""A page of another site whose name leads to this address (DNS rebinding)."""

from __future__ import annotations

import httpx
import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from tests.harness.clients import raw
from tests.harness.edge import Edge, foreign_app
from tests.harness.local import LocalStack


@pytest.mark.parametrize(
    "host", ["evil", "evil.example", "evil.example:8080", "localhost.evil.example", "127.0.0.1.evil.example"]
)
def test_another_name_is_refused(stack: LocalStack, host: str) -> None:
    for path in ("/", "/api/notes", "/ws/poll?topic=board:main&timeout=0"):
        answer = httpx.get(stack.base_url + path, headers={"Host": host}, trust_env=False, timeout=30)
        assert answer.status_code == 421
        assert answer.headers["content-type"] == "application/problem+json"


def test_the_name_in_the_request_line_does_not_help(stack: LocalStack) -> None:
    answer = raw(stack, b"GET http://localhost/readyz HTTP/1.1\r\nHost: evil\r\nConnection: close\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 421 ")


def test_a_page_of_that_name_opens_no_socket(stack: LocalStack) -> None:
    address = stack.base_url.replace("http", "ws", 1)
    with (
        pytest.raises(InvalidStatus) as refused,
        connect(
            f"{address}/ws?topic=board:main",
            additional_headers={"Host": "evil"},
            origin="http://evil",  # type: ignore[arg-type]
            proxy=None,
            open_timeout=30,
            legacy=True,
        ),
    ):
        pass
    assert refused.value.response.status_code in (400, 421)


@pytest.mark.parametrize(
    "host", ["localhost", "LOCALHOST:1", "127.0.0.1", "192.0.2.1:80", "[::1]", "[2001:db8::1]:8080"]
)
def test_its_own_name_and_any_address_are_served(stack: LocalStack, host: str) -> None:
    answer = httpx.get(f"{stack.base_url}/readyz", headers={"Host": host}, trust_env=False, timeout=30)
    assert answer.status_code == 200


def test_an_app_of_your_own_gets_any_name_until_one_is_set() -> None:
    with foreign_app() as port:
        for settings, status in (
            ({}, 200),
            ({"SITE_NAME": "shop.example"}, 421),
            ({"SITE_NAME": "shop.example", "ALLOWED_HOSTS": "*.evil.example"}, 421),
            ({"SITE_NAME": "evil.example"}, 200),
            ({"ALLOWED_HOSTS": "*.example"}, 200),
            ({"ALLOWED_HOSTS": "*"}, 200),
        ):
            with Edge(f"127.0.0.1:{port}", **settings) as edge:
                assert edge.get("/", Host="evil.example").status_code == status, settings
