"""Requests that no browser sends: each has an answer in the site's own words, or none."""

from __future__ import annotations

import json
import socket

import httpx
import pytest

from tests.harness.clients import raw, wait_for
from tests.harness.edge import Edge, foreign_app
from tests.harness.local import LocalStack
from tests.hostile.conftest import ATTACKER

KEY = "dGhlIHNhbXBsZSBub25jZQ=="


def handshake(extra: str) -> bytes:
    """A request for a socket."""
    return (
        "GET /ws?topic=board:main HTTP/1.1\r\nHost: localhost\r\n"
        "Connection: Upgrade\r\nUpgrade: websocket\r\n"
        f"Sec-WebSocket-Key: {KEY}\r\n"
        f"Sec-WebSocket-Version: 13\r\n{extra}\r\n"
    ).encode()


def problem(answer: bytes) -> int:
    """The status of a problem document, which its head says as well."""
    head, _, body = answer.partition(b"\r\n\r\n")
    document = json.loads(body)
    assert b"application/problem+json" in head
    assert head.split()[1] == str(document["status"]).encode()
    return int(document["status"])


def first_answer(stack: LocalStack, request: bytes) -> bytes:
    """What comes back until the end of a problem document."""
    answer = b""
    with socket.create_connection(("127.0.0.1", stack.port), timeout=30) as connection:
        connection.sendall(request)
        while not answer.endswith(b"}\n"):
            received = connection.recv(65536)
            assert received, answer
            answer += received
    return answer


@pytest.mark.parametrize("extra", ["Content-Length: 5\r\n", "Transfer-Encoding: chunked\r\n"])
@pytest.mark.parametrize("path", ["/ws", "/ws/poll", "/ws/events", "/ws/readyz"])
def test_what_is_below_ws_takes_no_body(stack: LocalStack, extra: str, path: str) -> None:
    request = handshake(extra).replace(b"/ws?topic=board:main", path.encode())
    # It is reset a little later, when the body has not come.
    assert problem(first_answer(stack, request)) == 400


@pytest.mark.parametrize(
    "request_line", [b"GET /\r\n", b"GET /api/notes\r\n", b"GET /ws/poll?topic=board:main\r\n"]
)
def test_http_09_gets_nothing_of_the_site(stack: LocalStack, request_line: bytes) -> None:
    assert json.loads(raw(stack, request_line, 5))["status"] == 505


@pytest.mark.parametrize("length", [33, 7000])
@pytest.mark.parametrize("path", ["/", "/api/notes", "/ws"])
def test_a_method_of_any_length_is_a_405(stack: LocalStack, length: int, path: str) -> None:
    request = f"{'A' * length} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode()
    assert problem(raw(stack, request)) == 405


@pytest.mark.parametrize("path", ["/", "/api/notes", "/ws/poll?topic=board:main&timeout=0"])
@pytest.mark.parametrize("character", ["\x01", "\x0b", "\x7f"])
def test_a_control_character_in_a_header_is_no_page_of_a_servers_own(
    stack: LocalStack, path: str, character: str
) -> None:
    request = f"GET {path} HTTP/1.1\r\nHost: localhost\r\nX-A: a{character}b\r\nConnection: close\r\n\r\n"
    answer = raw(stack, request.encode())
    head, _, body = answer.partition(b"\r\n\r\n")
    if not head.startswith(b"HTTP/1.1 2"):
        assert problem(answer) == 400, body


@pytest.mark.parametrize("path", ["/ws", "/ws/poll", "/ws/events", "/ws/readyz"])
def test_a_ticket_beside_a_body_that_is_too_large_reaches_no_log(stack: LocalStack, path: str) -> None:
    answer = httpx.post(
        f"{stack.base_url}{path}?ticket=Secret.Ticket-4242",
        content=b"x" * 100_000,
        trust_env=False,
        timeout=30,
    )
    assert answer.status_code == 405
    request_id = answer.headers["x-request-id"]
    wait_for(lambda: request_id in stack.logs("nginx"), "the request in the log")
    assert "Ticket-4242" not in stack.logs("nginx")


def test_the_health_check_is_for_the_container_only(stack: LocalStack) -> None:
    assert httpx.get(f"{stack.base_url}/ws/nginx/healthz", trust_env=False).status_code == 200
    claimed = {"X-Forwarded-For": "127.0.0.1"}
    with foreign_app() as port, Edge(f"127.0.0.1:{port}", TRUSTED_PROXIES="192.0.2.1") as edge:
        elsewhere = edge.base_url.replace("127.0.0.1", own_address())
        assert httpx.get(f"{elsewhere}/ws/nginx/healthz", headers=claimed, trust_env=False).status_code == 404
        assert httpx.get(f"{elsewhere}/", trust_env=False).status_code == 200


def own_address() -> str:
    """This machine's address on some network, which requests to it come from, too."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(("192.0.2.1", 9))  # nothing is sent
        return str(probe.getsockname()[0])


def test_a_line_of_the_log_is_bounded_and_utf8_whatever_a_client_sends() -> None:
    with foreign_app() as port, Edge(f"127.0.0.1:{port}") as edge:
        requests = (
            b"GET / HTTP/1.1\r\nHost: localhost\r\nUser-Agent: " + b"a" * 30_000 + b"\r\n",
            b"GET /" + b"b" * 20_000 + b"?" + b"c=d&" * 2_000 + b" HTTP/1.1\r\nHost: localhost\r\n",
            b"GET /\xff\xfe?\xc3 HTTP/1.1\r\nHost: localhost\r\nUser-Agent: caf\xe9\r\n",
            b"A" * 20_000 + b" / HTTP/1.1\r\nHost: localhost\r\n",
        )
        for number, request in enumerate(requests):
            raw(edge, request + b"X-Request-Id: request-%d\r\nConnection: close\r\n\r\n" % number)  # type: ignore[arg-type]
        log = wait_for(
            lambda: (edge.folder / "nginx.log").read_bytes() if "request-3" in edge.log() else b"",
            "all lines",
        )
    lines = [line for line in log.decode("utf-8").splitlines() if "request-" in line]
    assert len(lines) == len(requests)
    assert max(map(len, lines)) < 4096
    assert all(json.loads(line) for line in lines)


@pytest.mark.parametrize(("setting", "logged"), [("full", ATTACKER), ("short", "127.0.0.0")])
def test_addresses_in_the_log_are_as_long_as_wanted(setting: str, logged: str) -> None:
    with Edge("127.0.0.1:9", LOG_ADDRESSES=setting) as edge:
        transport = httpx.HTTPTransport(local_address=ATTACKER)
        with httpx.Client(transport=transport, trust_env=False) as client:
            client.get(f"{edge.base_url}/", headers={"X-Request-Id": "shortened"})
        wait_for(lambda: "shortened" in edge.log(), "the line")
        assert f'"client":"{logged}"' in edge.log()
        assert (ATTACKER in edge.log()) == (setting == "full")
