"""Tickets: what the app lets a visitor listen to, in a form that the sidecar believes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from datetime import datetime
from http.cookies import Morsel, SimpleCookie

import httpx
import jwt
import pytest
from flask import Flask
from flask.sessions import SecureCookieSessionInterface
from websockets.exceptions import ConnectionClosed, InvalidStatus

from local.settings import ROOT
from tests.harness.api import problem
from tests.harness.clients import Socket, http
from tests.harness.compose import ComposeStack
from tests.harness.local import LocalStack
from tests.harness.stack import Stack


def cookies(answer: httpx.Response) -> dict[str, Morsel[str]]:
    """The cookies that an answer sets, with their attributes."""
    found: SimpleCookie = SimpleCookie()
    for line in answer.headers.get_list("set-cookie"):
        found.load(line)
    return dict(found)


def port(stack: LocalStack, service: str) -> int:
    """Where a service listens, behind nginx."""
    ports: dict[str, int] = json.loads((stack.state.run / "ports.json").read_text())
    return ports[service]


def test_a_ticket_is_in_the_answer_and_in_a_cookie_for_this_site_only(client: httpx.Client) -> None:
    answer = client.post("/api/tickets")
    assert answer.status_code == 201
    assert answer.headers["cache-control"] == "no-store"
    body = answer.json()
    assert body.keys() == {"ticket", "expires_at", "topics"}
    assert body["topics"][0] == "board:*"
    set_ = cookies(answer)
    cookie = set_["corkboard_ticket"]
    assert cookie.value == body["ticket"]
    assert (cookie["httponly"], cookie["samesite"], cookie["path"]) == (True, "Strict", "/")
    assert int(cookie["max-age"]) == 3600
    assert set_["corkboard_session"]["httponly"] is True
    # Over plain HTTP a cookie that is for HTTPS only would never come back.
    assert not any(one["secure"] for one in set_.values())


def test_behind_tls_the_cookies_are_for_tls_only(local_stack: LocalStack) -> None:
    # What nginx says when it ends TLS itself; from a client it takes no such word.
    url = f"http://127.0.0.1:{port(local_stack, 'wsgi')}/api/tickets"
    answer = httpx.post(url, headers={"X-Forwarded-Proto": "https"}, trust_env=False)
    assert all(one["secure"] for one in cookies(answer).values())
    with http(local_stack) as client:
        claimed = client.post("/api/tickets", headers={"X-Forwarded-Proto": "https"})
    assert not any(one["secure"] for one in cookies(claimed).values())


def test_a_ticket_says_who_what_and_how_long_under_the_key_of_the_stack(local_stack: LocalStack) -> None:
    with http(local_stack) as client:
        body = client.post("/api/tickets").json()
    key = (local_stack.state.secrets / "app" / "secret_key").read_text().strip()
    claims = jwt.decode(body["ticket"], key, algorithms=["HS256"])
    assert claims["topics"] == body["topics"] == ["board:*", f"user:{claims['sub']}"]
    assert claims["exp"] == datetime.fromisoformat(body["expires_at"]).timestamp()
    assert 3599 <= claims["exp"] - claims["iat"] <= 3600
    assert abs(claims["iat"] - time.time()) < 60
    with pytest.raises(jwt.InvalidSignatureError):
        jwt.decode(body["ticket"], key[::-1], algorithms=["HS256"])


def test_a_visitor_stays_the_same_and_two_are_not(stack: Stack) -> None:
    def topics(client: httpx.Client) -> list[str]:
        found: list[str] = client.post("/api/tickets").json()["topics"]
        return found

    with http(stack) as one, http(stack) as other:
        assert topics(one) == topics(one)
        assert topics(one) != topics(other)


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
    ],
)
def test_a_form_on_another_site_replaces_no_session(client: httpx.Client, headers: dict[str, str]) -> None:
    answer = client.post("/api/tickets", data={"a": "b"}, headers=headers)
    problem(answer, 403)
    assert "set-cookie" not in answer.headers


def test_a_page_of_this_site_and_a_program_get_a_ticket(client: httpx.Client) -> None:
    for headers in (
        {},
        {"Sec-Fetch-Site": "same-origin", "Origin": "http://behind.a.proxy"},
        {"Sec-Fetch-Site": "none"},
        {"Origin": str(client.base_url).rstrip("/")},
    ):
        assert client.post("/api/tickets", headers=headers).status_code == 201


def test_a_session_that_was_tampered_with_is_a_new_visitor(client: httpx.Client) -> None:
    client.post("/api/tickets")
    mine = client.post("/api/tickets").json()["topics"]
    value = client.cookies["corkboard_session"]
    client.cookies.clear()
    answer = client.post("/api/tickets", headers={"Cookie": f"corkboard_session={value[:-2]}xx"})
    assert answer.status_code == 201
    assert answer.json()["topics"] != mine


def secrets_of(stack: Stack, service: str) -> set[str]:
    """All lines of the secrets that the service can read."""
    if isinstance(stack, LocalStack):
        files = (stack.state.secrets / service.replace("wsgi", "app")).glob("*")
        return {line for file in files for line in file.read_text().split()}
    assert isinstance(stack, ComposeStack)
    # A file need not end with a line's end.
    each = "for file in /run/secrets/*; do cat $file; echo; done; env"
    return set(stack.exec(service, "sh", "-c", each).split())


def test_a_sidecar_that_was_taken_over_can_make_no_session(stack: Stack, client: httpx.Client) -> None:
    def subject(key: str) -> str:
        app = Flask("forger")
        app.secret_key = key
        serializer = SecureCookieSessionInterface().get_signing_serializer(app)
        assert serializer
        session = serializer.dumps({"subject": "victim", "_permanent": True})
        client.cookies.clear()
        answer = client.post("/api/tickets", headers={"Cookie": f"corkboard_session={session}"})
        return str(answer.json()["topics"][-1])

    assert "user:victim" in map(subject, secrets_of(stack, "wsgi")), "the app itself can"
    keys = secrets_of(stack, "asgi")
    assert len(max(keys, key=len)) >= 64
    assert "user:victim" not in map(subject, keys)


def test_the_sidecar_lets_a_ticket_listen_to_its_own_topic_and_to_no_other(
    stack: Stack, client: httpx.Client
) -> None:
    body = client.post("/api/tickets").json()
    own = body["topics"][1]
    with Socket(stack, headers={"Authorization": f"Bearer {body['ticket']}"}) as socket:
        socket.send({"op": "subscribe", "topic": own})
        assert socket.expect("subscribed")["topic"] == own
        socket.send({"op": "subscribe", "topic": f"{own}x"})
        assert socket.expect("error")["code"]


def shell(stack: Stack, *words: str) -> None:
    """The kit's command, as an operator runs it: in the app's container, or beside the local processes."""
    command = ("-m", "corkboard", *words)
    if isinstance(stack, ComposeStack):
        stack.exec("wsgi", "python", *command)
        return
    assert isinstance(stack, LocalStack)
    environment = {**os.environ, "CORKBOARD_ENV_FILE": str(stack.state.app_env)}
    subprocess.run([sys.executable, *command], cwd=ROOT, env=environment, check=True)


def test_a_ticket_that_is_revoked_from_a_shell_ends_at_once(stack: Stack, client: httpx.Client) -> None:
    body = client.post("/api/tickets").json()
    own, ticket = body["topics"][1], {"Authorization": f"Bearer {body['ticket']}"}
    with Socket(stack, ticket, topic=own) as socket:
        assert socket.expect("subscribed")["topic"] == own
        shell(stack, "revoke", own.removeprefix("user:"))
        with pytest.raises(ConnectionClosed) as closed:
            socket.expect("event")
    assert closed.value.rcvd
    assert closed.value.rcvd.code == 4403
    with pytest.raises(InvalidStatus), Socket(stack, ticket, topic=own):
        pass
    # The visitor may come back with a new one.
    renewed = {"Authorization": f"Bearer {client.post('/api/tickets').json()['ticket']}"}
    with Socket(stack, renewed, topic=own) as socket:
        assert socket.expect("subscribed")["topic"] == own
