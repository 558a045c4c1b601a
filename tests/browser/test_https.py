"""The wall over HTTPS: pages by HTTP/2, events by a WebSocket beside it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from tests.harness.certificates import Authority
from tests.harness.local import LocalStack, free_port
from tests.harness.wall import note, write

if TYPE_CHECKING:
    from tests.browser.conftest import OpenWall

pytestmark = pytest.mark.browser


@pytest.fixture
def secure_url() -> Iterator[str]:
    port = str(free_port())
    with Authority() as authority:
        authority.issue("localhost")
        with LocalStack({"HTTPS_PORT": port, "ASGI_REPLICAS": "1", **authority.settings()}):
            yield f"https://localhost:{port}"


def test_a_browser_gets_pages_by_http2_and_events_by_wss(open_wall: OpenWall, secure_url: str) -> None:
    sockets: list[str] = []
    # The browser has no authority of the test's own; who the certificate is from is checked elsewhere.
    here, there = (
        open_wall(
            secure_url,
            prepare=lambda page: page.on("websocket", lambda socket: sockets.append(socket.url)),
            ignore_https_errors=True,
        )
        for _ in range(2)
    )
    protocol = here.evaluate("performance.getEntriesByType('navigation')[0].nextHopProtocol")
    assert protocol == "h2"
    write(here, "Sealed")
    expect(note(there, "Sealed")).to_be_visible()
    assert len(sockets) == 2
    assert all(url.startswith(secure_url.replace("https", "wss", 1)) for url in sockets)
