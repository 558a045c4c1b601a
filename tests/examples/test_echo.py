"""Steps 3 and 4: the same WebSocket, by hand and with Starlette."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from tests.harness.examples import Server, serving


@pytest.fixture(scope="module", params=["step3_websocket_raw", "step4_websocket_starlette"])
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    with serving(request.param) as running:
        yield running


def test_what_is_said_comes_back_to_who_said_it_as_it_was(server: Server) -> None:
    with (
        connect(f"{server.ws_url}/echo", proxy=None) as one,
        connect(f"{server.ws_url}/echo", proxy=None) as other,
    ):
        other.send("grüße")
        for message in ("", "text", b"\x00bytes"):
            one.send(message)
            assert one.recv(30) == message
        assert other.recv(30) == "grüße"


def test_an_unknown_path_is_refused_before_the_handshake_ends(server: Server) -> None:
    with (
        pytest.raises(InvalidStatus) as refused,
        connect(f"{server.ws_url}/elsewhere", proxy=None),
    ):
        pass
    assert refused.value.response.status_code == 403


def test_plain_http_is_told_to_upgrade(server: Server) -> None:
    answer = httpx.get(f"{server.url}/echo", trust_env=False, timeout=30)
    assert answer.status_code == 426
    assert answer.headers["upgrade"] == "websocket"


def test_a_client_that_leaves_is_no_error(server: Server) -> None:
    with connect(f"{server.ws_url}/echo", proxy=None) as socket:
        socket.send("and gone")
        socket.recv(30)
        socket.socket.close()
    test_what_is_said_comes_back_to_who_said_it_as_it_was(server)
    assert "Traceback" not in server.output()
