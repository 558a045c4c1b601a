"""In front of an app that nobody here wrote nginx is transparent, except for /ws."""

from __future__ import annotations

import hashlib
import socket
import threading
from collections.abc import Iterator

import httpx
import pytest
from websockets.sync.client import connect
from websockets.sync.server import ServerConnection, serve

from local import render
from local.errors import LocalError
from tests.harness.clients import raw, wait_for
from tests.harness.edge import Edge, foreign_app
from tests.harness.foreign_app import PAGE
from tests.harness.local import LocalStack, free_port

HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding"}


@pytest.fixture(scope="module")
def app_port() -> Iterator[int]:
    with foreign_app() as port:
        yield port


@pytest.fixture(scope="module")
def edge(app_port: int) -> Iterator[Edge]:
    with Edge(f"127.0.0.1:{app_port}", MAX_BODY="16m") as edge:
        yield edge


def headers(response: httpx.Response) -> list[tuple[str, str]]:
    """What an answer came with, in order; the date is that of the moment."""
    found = [(name.lower(), value) for name, value in response.headers.multi_items()]
    return sorted((name, "" if name == "date" else value) for name, value in found if name not in HOP_BY_HOP)


@pytest.mark.parametrize("kind", ["werkzeug", "wsgiref", "gunicorn"])
def test_no_header_of_an_answer_is_added_changed_or_hidden(kind: str) -> None:
    with foreign_app(kind) as port, Edge(f"127.0.0.1:{port}") as edge:
        direct = httpx.get(f"http://127.0.0.1:{port}/page", trust_env=False)
        passed = edge.get("/page", Accept_Encoding="gzip")
        assert headers(passed) == headers(direct)
        assert passed.content == direct.content == PAGE


@pytest.mark.parametrize(
    "target",
    [
        "/",
        "/static/20240601/x",
        "/static/deadbeef/app.js",
        "/api/notes/1",
        "/events",
        "/poll?timeout=1",
        "/realtime/a.js",
        "/wsx",
        "/nginx/healthz",
        "/nginx/problem",
        "/readyz",
        "/a%2Fb//c/./d?x=%20&ticket=1",
        "/" + "long" * 4000,
    ],
)
def test_every_path_but_ws_is_the_apps_own_and_arrives_as_it_was_asked(edge: Edge, target: str) -> None:
    answer = raw(edge, f"GET {target} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n".encode())
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert f'"target": "{target}"'.encode() in answer


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND", "ANYTHING"])
def test_every_method_arrives(edge: Edge, method: str) -> None:
    answer = edge.request(method, "/x", b"abc", X_Http_Method_Override="PUT", Content_Type="a/b").json()
    assert (answer["method"], answer["bytes"], answer["type"]) == (method, 3, "a/b")
    assert answer["headers"]["X_HTTP_METHOD_OVERRIDE"] == "PUT"


def test_headers_that_are_long_arrive(edge: Edge) -> None:
    cookie = "a=" + "b" * 20_000
    assert edge.get("/", Cookie=cookie).json()["headers"]["COOKIE"] == cookie


@pytest.mark.parametrize("path", ["/ws", "/ws/", "/ws/events", "/ws/anything"])
def test_ws_and_what_is_below_it_is_not_the_apps(edge: Edge, path: str) -> None:
    assert edge.get(path).status_code == 502


def test_ws_leads_to_the_sidecar(app_port: int, local_stack: LocalStack) -> None:
    sidecar = local_stack.state.ports(["asgi-1"], running=True)["asgi-1"]
    with Edge(f"127.0.0.1:{app_port}", f"127.0.0.1:{sidecar}") as edge:
        answer = edge.get("/ws/readyz")
        assert answer.status_code == 200
        assert answer.headers["x-request-id"]
        with connect(f"ws://127.0.0.1:{edge.port}/ws?topic=board:x", proxy=None) as listener:
            assert '"subscribed"' in str(listener.recv(10))


def test_a_body_of_up_to_max_body_arrives_whole(edge: Edge) -> None:
    body = bytes(range(256)) * (15 << 12)
    answer = edge.request("POST", "/upload", body).json()
    assert (answer["bytes"], answer["sha256"]) == (len(body), hashlib.sha256(body).hexdigest())


def test_a_chunked_body_arrives_whole(edge: Edge) -> None:
    parts = (b"part %d" % number for number in range(10_000))
    answer = httpx.post(f"{edge.base_url}/upload", content=parts, trust_env=False, timeout=30).json()
    assert answer["bytes"] == sum(len(b"part %d" % number) for number in range(10_000))


def test_a_body_over_max_body_is_a_413_that_says_how_large_it_may_be(app_port: int) -> None:
    with Edge(f"127.0.0.1:{app_port}", MAX_BODY="1m") as edge:
        assert edge.request("POST", "/", b"x" * (1 << 20)).status_code == 200
        answer = edge.request("POST", "/", b"x" * ((1 << 20) + 1))
        assert answer.status_code == 413
        assert "1m" in answer.json()["detail"]


def test_an_upload_reaches_the_app_while_it_is_still_being_sent(edge: Edge) -> None:
    half = b"x" * (4 << 16)
    with socket.create_connection(("127.0.0.1", edge.port), timeout=30) as connection:
        head = f"POST /slowly HTTP/1.1\r\nHost: a\r\nContent-Length: {2 * len(half)}\r\n\r\n"
        connection.sendall(head.encode() + half)
        wait_for(
            lambda: edge.get("/received").json().get("/slowly") == len(half), "the first half at the app"
        )
        connection.sendall(half)
        assert connection.recv(1000).startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize(("path", "accept"), [("/stream", "text/event-stream"), ("/accelerated", "*/*")])
def test_an_answer_that_is_a_stream_is_passed_on_as_it_comes(edge: Edge, path: str, accept: str) -> None:
    with httpx.stream(
        "GET", edge.base_url + path, headers={"Accept": accept}, trust_env=False, timeout=10
    ) as response:
        parts = response.iter_raw()
        assert next(parts) == b"data: first\n\n"
        edge.get("/go")
        assert b"".join(parts) == b"data: second\n\n"


def test_the_app_is_told_the_request_id_of_the_log(edge: Edge) -> None:
    made = edge.get("/").json()["headers"]["X_REQUEST_ID"]
    wait_for(lambda: made in edge.log(), "the request in the log")
    assert edge.get("/", X_Request_Id="my-own-id").json()["headers"]["X_REQUEST_ID"] == "my-own-id"


CLAIMS = {
    "X_Forwarded_For": "203.0.113.7",
    "X_Forwarded_Proto": "https",
    "X_Forwarded_Host": "shop.example",
    "X_Forwarded_Port": "443",
    "X_Forwarded_Prefix": "/shop",
    "X_Forwarded_User": "admin",
    "Remote_User": "admin",
    "Forwarded": "proto=https",
}


@pytest.mark.parametrize("trusted", ["", "10.0.0.0/8", "192.0.2.1, 2001:db8::/32"])
def test_what_a_client_claims_about_its_way_is_overwritten(app_port: int, trusted: str) -> None:
    with Edge(f"127.0.0.1:{app_port}", TRUSTED_PROXIES=trusted) as edge:
        seen = edge.get("/", **CLAIMS).json()["headers"]
        assert (seen["X_FORWARDED_PROTO"], seen["X_FORWARDED_FOR"]) == ("http", "127.0.0.1")
        assert seen["X_FORWARDED_HOST"] == seen["HOST"] == f"127.0.0.1:{edge.port}"
        assert not {"FORWARDED", "REMOTE_USER"} & {
            name for name in seen if not name.startswith("X_FORWARDED_")
        }
        assert "X_FORWARDED_USER" not in seen
        assert "X_FORWARDED_PREFIX" not in seen


@pytest.mark.parametrize("trusted", ["127.0.0.1", "10.0.0.0/8,127.0.0.0/8"])
def test_what_a_trusted_proxy_says_is_passed_on(app_port: int, trusted: str) -> None:
    with Edge(f"127.0.0.1:{app_port}", TRUSTED_PROXIES=trusted) as edge:
        seen = edge.get("/", **CLAIMS).json()["headers"]
        assert {name: seen.get(name.upper()) for name in CLAIMS} == CLAIMS
        wait_for(lambda: '"client":"203.0.113.7"' in edge.log(), "the client's own address in the log")
        assert edge.get("/").json()["headers"]["X_FORWARDED_PROTO"] == "http"


@pytest.mark.parametrize(
    "wrong", ["example.org", "10.0.0.0/33", "10.0.0", "1.2.3.4.5", "*", "10.0.0.1;", "::/129"]
)
def test_trusted_proxies_that_are_no_addresses_are_refused_with_one_line(wrong: str) -> None:
    with pytest.raises(LocalError) as refused:
        render.complete({"TRUSTED_PROXIES": wrong, "APP_SERVER": "a:1", "ASGI_SERVERS": "b:1"}, [])
    (line,) = str(refused.value).splitlines()
    assert line.startswith("TRUSTED_PROXIES is invalid: expected ")


def test_an_app_that_is_away_is_a_page_for_people_and_a_problem_for_programs() -> None:
    with Edge(f"127.0.0.1:{free_port()}") as edge:
        page = edge.get("/", Accept="text/html,application/xhtml+xml,*/*;q=0.8")
        assert page.status_code == 502
        assert page.headers["content-type"] == "text/html; charset=utf-8"
        assert page.headers["cache-control"] == "no-store"
        assert "http-equiv=refresh" in page.text
        sent = edge.request("POST", "/", b"a=1", Accept="text/html")
        assert sent.status_code == 502
        assert "http-equiv=refresh" not in sent.text
        assert "send it again" in sent.text
        problem = edge.get("/")
        assert problem.headers["content-type"] == "application/problem+json"
        assert problem.json()["request_id"] == problem.headers["x-request-id"]
        assert int(problem.headers["retry-after"]) > 0


def test_an_app_that_is_back_is_asked_at_once() -> None:
    port = free_port()
    with Edge(f"127.0.0.1:{port}") as edge:
        assert [edge.get("/").status_code for _ in range(20)] == [502] * 20
        for _ in range(2):
            with foreign_app(port=port):
                assert edge.request("POST", "/").status_code == 200
            assert edge.get("/").status_code == 502


def test_the_apps_own_errors_pass_unchanged() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        answer = b"HTTP/1.1 503 Closed\r\nContent-Length: 6\r\nConnection: close\r\n\r\nclosed"
        threading.Thread(target=_answer_once, args=(listener, answer), daemon=True).start()
        with Edge(f"127.0.0.1:{listener.getsockname()[1]}") as other:
            passed = other.get("/", Accept="text/html")
            assert (passed.status_code, passed.text) == (503, "closed")


def _answer_once(listener: socket.socket, answer: bytes) -> None:
    connection, _ = listener.accept()
    with connection:
        connection.recv(65536)
        connection.sendall(answer)


def test_a_post_never_meets_a_connection_that_the_app_is_closing() -> None:
    """A server that keeps connections open, as it says, and closes them when the next request comes."""

    def serve_one(connection: socket.socket) -> None:
        with connection:
            connection.recv(65536)
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
            connection.recv(65536)

    def accept(listener: socket.socket) -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=serve_one, args=(connection,), daemon=True).start()

    with socket.create_server(("127.0.0.1", 0), backlog=64) as listener:
        threading.Thread(target=accept, args=(listener,), daemon=True).start()
        with Edge(f"127.0.0.1:{listener.getsockname()[1]}") as edge:
            assert [edge.request("POST", "/", b"x").status_code for _ in range(20)] == [200] * 20
        listener.shutdown(socket.SHUT_RDWR)


def test_the_apps_own_websockets_pass() -> None:
    def echo(connection: ServerConnection) -> None:
        for message in connection:
            connection.send(message)

    with serve(echo, "127.0.0.1", 0) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        port = server.socket.getsockname()[1]
        with (
            Edge(f"127.0.0.1:{port}") as edge,
            connect(f"ws://127.0.0.1:{edge.port}/own/socket", proxy=None) as client,
        ):
            client.send("hello")
            assert client.recv(10) == "hello"
            server.shutdown()


def test_the_last_requests_are_in_the_log_of_an_nginx_that_was_stopped(app_port: int) -> None:
    with Edge(f"127.0.0.1:{app_port}") as edge:
        asked = [f"/last-words-{number}" for number in range(20)]
        for path in asked:
            edge.get(path)
        edge.stop()
        logged = edge.log()
    assert [path for path in asked if f'"{path}"' not in logged] == []
