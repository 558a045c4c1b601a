"""What nginx promises by itself: its own errors, its headers, and what it lets through."""

from __future__ import annotations

import json
import re
from collections.abc import Collection

import httpx
import pytest

from tests.harness.clients import Socket, raw, wait_for
from tests.harness.local import LocalStack
from tests.harness.stack import Stack

ONCE = (
    "x-request-id",
    "content-security-policy",
    "x-content-type-options",
    "referrer-policy",
)
# Of no use but to what a window shows.
OF_DOCUMENTS = ("permissions-policy", "cross-origin-opener-policy")


def assert_is_problem(response: httpx.Response, status: int) -> None:
    assert response.status_code == status
    assert response.headers["content-type"] == "application/problem+json"
    problem = response.json()
    assert {"type", "title", "status", "detail", "request_id"} <= problem.keys()
    assert problem["status"] == status
    assert problem["request_id"] == response.headers["x-request-id"]


@pytest.mark.parametrize("path", ["/", "/api/notes", "/ws/readyz", "/nowhere", "/static/12345678/nowhere"])
def test_every_answer_carries_each_security_header_once(client: httpx.Client, path: str) -> None:
    headers = client.get(path).headers
    assert {name: len(headers.get_list(name)) for name in ONCE} == dict.fromkeys(ONCE, 1)
    is_data = headers["content-type"].startswith("application/json")
    assert {len(headers.get_list(name)) for name in OF_DOCUMENTS} == {0 if is_data else 1}
    assert "unsafe" not in headers["content-security-policy"]
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert headers["server"] == "nginx"


def test_a_body_over_64_kib_is_a_413_problem(client: httpx.Client) -> None:
    assert_is_problem(client.post("/api/notes", content=b" " * 65_537), 413)


def test_a_chunked_body_over_64_kib_is_a_413_problem(client: httpx.Client) -> None:
    assert_is_problem(client.post("/api/notes", content=iter([b" " * 40_000] * 2)), 413)


def test_trace_is_a_405_problem_with_allow(client: httpx.Client) -> None:
    response = client.request("TRACE", "/")
    assert_is_problem(response, 405)
    assert "GET" in response.headers["allow"]


@pytest.mark.parametrize("path", ["/ws", "/ws/events", "/ws/poll", "/ws/readyz"])
@pytest.mark.parametrize("method", ["POST", "DELETE", "FOO"])
def test_the_sidecar_cannot_be_told_anything(client: httpx.Client, path: str, method: str) -> None:
    response = client.request(method, path)
    assert_is_problem(response, 405)
    assert response.headers["allow"] == "GET, HEAD"


def test_a_long_address_is_a_414_problem(client: httpx.Client) -> None:
    assert_is_problem(client.get("/" + "a" * 9_000), 414)


def test_large_headers_are_a_431_problem(client: httpx.Client) -> None:
    assert_is_problem(client.get("/", headers={"X-Large": "a" * 9_000}), 431)


@pytest.mark.parametrize(
    "request_lines",
    [
        b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\n"
        b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n{}",
        b"GET / HTTP/1.1\r\nHost: localhost\r\nHost: b\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost\r\nX-A: b\r\n c\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost : a\r\n\r\n",
        b"GET / HTTP/1.1\r\n\r\n",
        b"nonsense\r\n\r\n",
        "GET /api/notes?q=é HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode(),
        "GET /ws/poll?topic=é HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode(),
    ],
    ids=[
        "CL and TE",
        "two CL",
        "two Host",
        "obs-fold",
        "space before colon",
        "no Host",
        "no HTTP",
        "not ASCII",
        "not ASCII for asgi",
    ],
)
def test_ambiguous_requests_are_400_problems_and_end_the_connection(
    stack: Stack, request_lines: bytes
) -> None:
    answer = raw(stack, request_lines)
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 400 ")
    assert answer.count(b"HTTP/1.1 ") == 1
    assert json.loads(body)["status"] == 400


@pytest.mark.parametrize("path", ["/", "/api/notes", "/ws/events", "/ws/healthz"])
@pytest.mark.parametrize("protocol", ["websocket", "h2c"])
def test_no_other_path_than_ws_upgrades(client: httpx.Client, path: str, protocol: str) -> None:
    headers = {
        "Connection": "Upgrade",
        "Upgrade": protocol,
        "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
        "Sec-WebSocket-Version": "13",
    }
    with client.stream("GET", path, headers=headers) as response:
        assert response.status_code != 101


def test_ws_upgrades_to_websocket_only(stack: Stack, client: httpx.Client) -> None:
    with Socket(stack) as socket:
        socket.send({"op": "ping"})
        assert socket.expect("pong")
        assert socket.connection.response
        assert socket.connection.response.headers.get_all("X-Request-Id")
    response = client.get("/ws", headers={"Connection": "Upgrade", "Upgrade": "h2c"})
    assert response.status_code != 101


@pytest.mark.parametrize("path", ["/api/notes", "/ws/readyz", "/static/12345678/nowhere"])
def test_a_well_formed_request_id_is_kept(client: httpx.Client, path: str) -> None:
    response = client.get(path, headers={"X-Request-Id": "My.own_id-42"})
    assert response.headers.get_list("x-request-id") == ["My.own_id-42"]


@pytest.mark.parametrize("given", ["short", "a" * 129, "with spaces in it", 'quote"quote', "ümlaut-ümlaut"])
def test_a_malformed_request_id_is_replaced(client: httpx.Client, given: str) -> None:
    response = client.get("/api/notes", headers=[(b"X-Request-Id", given.encode())])
    assert re.fullmatch("[0-9a-f]{32}", response.headers["x-request-id"])


def test_headers_that_pretend_another_path_client_or_host_have_no_effect(client: httpx.Client) -> None:
    plain = client.get("/api/notes", params={"board": "spoof"})
    spoofed = client.get(
        "/api/notes",
        params={"board": "spoof"},
        headers={
            "SCRIPT_NAME": "/evil",
            "Script-Name": "/evil",
            "PATH_INFO": "/evil",
            "Path-Info": "/evil",
            "X-Forwarded-Prefix": "/evil",
            "X-Forwarded-Host": "evil.example",
            "X-Forwarded-Proto": "https",
            "X-Forwarded-Ssl": "on",
            "X-Forwarded-Protocol": "ssl",
            "X-Original-Url": "/evil",
            "X-Http-Method-Override": "DELETE",
            "Forwarded": "for=1.2.3.4;host=evil.example",
        },
    )
    assert spoofed.status_code == 200
    assert spoofed.json() == plain.json()
    assert "evil" not in str(spoofed.headers)


def test_a_content_type_given_twice_is_no_page_of_gunicorns_own(client: httpx.Client) -> None:
    twice = [("Content-Type", "text/plain"), ("Content-Type", "text/html")]
    response = client.post("/api/notes", content=b"{}", headers=twice)
    assert_is_problem(response, 415)


def test_a_client_that_nobody_trusts_cannot_pretend_https(client: httpx.Client) -> None:
    claims = {"X-Forwarded-Proto": "https", "X-Forwarded-For": "203.0.113.7", "Forwarded": "proto=https"}
    cookies = client.post("/api/tickets", headers=claims).headers.get_list("set-cookie")
    assert cookies
    assert not any("; Secure" in cookie for cookie in cookies)


@pytest.mark.parametrize(
    "request_lines",
    [
        b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX-A: b\x01c\r\nConnection: close\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nCookie: \x7f\r\nConnection: close\r\n\r\n",
        b"A" * 300 + b" / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
        b"G / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
    ],
    ids=["control character", "delete", "long method", "short method"],
)
def test_what_gunicorn_would_refuse_is_a_problem(stack: Stack, request_lines: bytes) -> None:
    head, _, body = raw(stack, request_lines).partition(b"\r\n\r\n")
    assert re.match(rb"HTTP/1.1 (400|405) ", head)
    assert b"application/problem+json" in head
    assert b"X-Accel" not in head
    assert f"X-Request-Id: {json.loads(body)['request_id']}".encode() in head


def test_a_line_of_the_log_has_a_bound_and_is_text(stack: Stack, client: httpx.Client) -> None:
    path = "/" + "a" * 3_000
    sent = client.build_request("GET", path, params={"q": "b" * 3_000})
    sent.headers = httpx.Headers([*sent.headers.raw, (b"User-Agent", b"c" * 1_000 + b"\xff" * 5_000)])
    request_id = client.send(sent).headers["x-request-id"]
    line = wait_for(lambda: _log_line(stack, request_id), "the request's line in the access log")
    assert str(line["path"]) in path
    assert len(str(line)) < 4_000
    sent = client.build_request("A" * 300, "/", headers=[(b"User-Agent", b"ok \xff\xfe")])
    request_id = client.send(sent).headers["x-request-id"]
    line = wait_for(lambda: _log_line(stack, request_id), "the request's line in the access log")
    assert (line["user_agent"], line["method"]) == ("ok ", "A" * 32)


def test_the_log_has_the_real_address_whatever_a_client_claims(stack: Stack, client: httpx.Client) -> None:
    request_id = client.get("/readyz", headers={"X-Forwarded-For": "1.2.3.4"}).headers["x-request-id"]
    line = wait_for(lambda: _log_line(stack, request_id), "the request's line in the access log")
    assert line["client"] != "1.2.3.4"
    assert line["status"] == 200


def test_a_ticket_appears_in_no_log(stack: Stack, client: httpx.Client) -> None:
    asked = {}
    for path in ("/ws", "/ws/events", "/ws/poll"):
        for query in (
            "ticket=SECRET",
            "a=1&ticket=SECRET&b=2",
            "ticket=SECRET&ticket=SECRET",
            "t%69cket=SECRET",
            "Ticket=SECRET",
        ):
            query = query.replace("SECRET", "Secret.Ticket-0815")
            with client.stream("GET", f"{path}?topic=private:x&{query}") as response:
                asked[response.headers["x-request-id"]] = path
    lines = wait_for(lambda: _log_lines(stack, asked), "the requests' lines in the access log")
    assert [line["path"] for line in lines] == list(asked.values())
    for service in ("nginx", "asgi", "wsgi"):
        assert "Ticket-0815" not in stack.logs(service)


def test_other_arguments_stay_readable_beside_a_ticket(stack: Stack, client: httpx.Client) -> None:
    with client.stream("GET", "/ws/poll?topic=private:x&ticket=abc&timeout=1") as response:
        request_id = response.headers["x-request-id"]
    line = wait_for(lambda: _log_line(stack, request_id), "the request's line in the access log")
    assert line["query"] == "topic=private:x&ticket=[hidden]&timeout=1"


def test_the_health_check_answers(local_stack: LocalStack) -> None:
    assert httpx.get(f"{local_stack.base_url}/ws/nginx/healthz", trust_env=False).text == "ok\n"


def test_the_error_page_has_no_address_of_its_own(client: httpx.Client) -> None:
    assert_is_problem(client.get("/ws/nginx/problem"), 404)


def test_static_files_are_kept_for_a_year_and_have_their_type(client: httpx.Client) -> None:
    page = client.get("/").text
    paths = re.findall(r'/static/[0-9a-f]{8,}/[^"?]+', page)
    assert paths
    types = {"css": "text/css; charset=utf-8", "js": "text/javascript; charset=utf-8"}
    for path in paths:
        response = client.get(path)
        assert response.status_code == 200
        assert response.headers["cache-control"] == "public, max-age=31536000, immutable"
        ending = path.rpartition(".")[2]
        assert response.headers["content-type"] == types.get(ending, response.headers["content-type"])
        assert response.headers["content-type"] != "application/octet-stream"


def test_a_static_file_of_another_version_is_not_taken_for_the_one_that_was_asked_for(
    client: httpx.Client,
) -> None:
    script = re.findall(r'"(/static/[0-9a-f]{8,}/)main.js"', client.get("/").text)[0]
    for file in ("main.js", "wall.css"):
        assert client.get(f"{script}{file}").status_code == 200
        response = client.get(f"/static/0123456789ab/{file}")
        assert_is_problem(response, 404)
        assert response.headers["cache-control"] == "no-store"
    # All the same the page gets what notices it.
    start = client.get("/static/0123456789ab/start.js")
    assert start.headers["cache-control"] == "no-store"
    assert (start.headers["content-type"], start.text) == (
        "text/javascript; charset=utf-8",
        client.get(f"{script}start.js").text,
    )
    assert client.get("/offline-worker.js").headers["cache-control"] == "no-cache"


def test_static_paths_do_not_leave_their_folder(stack: Stack) -> None:
    for path in ("../settings.py", "%2e%2e/settings.py", "..%2fsettings.py", "x/../../settings.py"):
        answer = raw(stack, f"GET /static/12345678/{path} HTTP/1.0\r\nHost: localhost\r\n\r\n".encode())
        assert not answer.startswith(b"HTTP/1.1 200")
        assert b"BaseSettings" not in answer


def test_writing_to_a_static_file_is_a_405_problem(client: httpx.Client) -> None:
    path = re.findall(r'/static/[0-9a-f]{8,}/[^"?]+', client.get("/").text)[0]
    response = client.post(path)
    assert_is_problem(response, 405)
    assert response.headers["allow"] == "GET, HEAD"


def _log_line(stack: Stack, request_id: str) -> dict[str, object] | None:
    return next(iter(_log_lines(stack, [request_id]) or ()), None)


def _log_lines(stack: Stack, request_ids: Collection[str]) -> list[dict[str, object]] | None:
    """The lines of these requests; None while one is missing."""
    lines = (json.loads(line) for line in stack.logs("nginx").splitlines() if line.startswith("{"))
    found = {line.get("request_id"): line for line in lines}
    return [found[one] for one in request_ids] if found.keys() >= set(request_ids) else None
