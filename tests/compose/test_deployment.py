"""What the deployment does in containers, and could not do in plain processes."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx
import jwt
import pytest
from websockets.sync.client import ClientConnection, connect

from tests.harness.clients import http, wait_for
from tests.harness.compose import ComposeStack
from tests.harness.sidecar import signed

# Nginx asks for the apps' addresses again every second; the rest is what a busy machine adds.
FOLLOWS = 20.0
READY = {"wsgi": "/readyz", "asgi": "/ws/readyz"}


def always_200(url: str, times: int = 20) -> bool:
    """So many answers in a row are good."""
    with httpx.Client(trust_env=False, timeout=10) as client:
        return all(client.get(url).status_code == 200 for _ in range(times))


def post(stack: ComposeStack, board: str, text: str) -> dict[str, object]:
    answer = httpx.post(
        f"{stack.base_url}/api/notes", json={"board": board, "text": text}, trust_env=False, timeout=30
    )
    assert answer.status_code == 201, answer.text
    note: dict[str, object] = answer.json()
    return note


def next_message(socket: ClientConnection, op: str) -> dict[str, object]:
    """The next message of that kind; others are passed over."""
    while (message := json.loads(socket.recv(timeout=30)))["op"] != op:
        pass
    received: dict[str, object] = message
    return received


@contextmanager
def subscribed(stack: ComposeStack, topic: str) -> Iterator[ClientConnection]:
    """A socket that has the server's word for its subscription."""
    with connect(
        f"{stack.base_url.replace('http', 'ws', 1)}/ws?topic={topic}", proxy=None, open_timeout=30
    ) as socket:
        next_message(socket, "subscribed")
        yield socket


def upstreams(stack: ComposeStack, path: str, query: str) -> set[str]:
    """The addresses that nginx sent such requests to, from its log."""
    lines = [json.loads(line) for line in stack.logs("nginx").splitlines() if line.startswith("{")]
    return {line["upstream"] for line in lines if line.get("path") == path and query in line.get("query", "")}


def test_when_up_returns_everything_is_healthy_and_answers(stack: ComposeStack) -> None:
    states = {
        container["Config"]["Labels"]["com.docker.compose.service"]: container["State"]
        for container in stack.containers().values()
    }
    assert states.pop("secrets")["ExitCode"] == 0
    assert {service: state["Health"]["Status"] for service, state in states.items()} == dict.fromkeys(
        ["nginx", "wsgi", "asgi", "redis"], "healthy"
    )
    with http(stack) as client:
        assert [client.get(path).status_code for path in READY.values()] == [200, 200]


def test_an_event_reaches_the_sockets_of_every_replica(stack: ComposeStack) -> None:
    board = f"replicas-{secrets.token_hex(4)}"
    with ExitStack() as sockets:
        listeners = [sockets.enter_context(subscribed(stack, f"board:{board}")) for _ in range(8)]
        note = post(stack, board, "for everybody")
        assert [next_message(listener, "event")["data"] for listener in listeners] == [note] * 8
    # The log has a socket's line when the socket ends.
    wait_for(lambda: len(upstreams(stack, "/ws", board)) == 2, "sockets of both replicas in the log")


@pytest.mark.parametrize("service", READY)
def test_nginx_follows_a_recreated_service(stack: ComposeStack, service: str) -> None:
    stack.recreate(service)
    wait_for(lambda: always_200(stack.base_url + READY[service]), f"nginx to follow {service}", FOLLOWS)


def test_a_replica_beyond_those_that_nginx_asks_waits_and_replaces_one_that_leaves(
    stack: ComposeStack,
) -> None:
    health = f"{stack.base_url}/ws/healthz"

    def sockets() -> list[str]:
        return stack.exec("nginx", "ls", "/run/asgi").split()

    def waiting() -> list[str]:
        return [name for name in sockets() if name.startswith("next-")]

    stack.scale("asgi", 3)
    try:
        wait_for(lambda: len(waiting()) == 1, "one that waits", FOLLOWS)
        assert {"1.sock", "2.sock"} < set(sockets())
    finally:
        # Whichever it stops.
        stack.scale("asgi", 2)
    wait_for(lambda: not waiting() and always_200(health), "the two that are left", FOLLOWS)
    assert len([name for name in sockets() if name.startswith("own-")]) == 2


def test_the_apps_stay_up_without_redis_and_say_so(stack: ComposeStack) -> None:
    def answer(status: int) -> bool:
        with http(stack) as client:
            return all(client.get(path).status_code == status for path in READY.values())

    def starts() -> dict[str, str]:
        return {
            name: container["State"]["StartedAt"]
            for name, container in stack.containers().items()
            if any(f"-{service}-" in name for service in READY)
        }

    before = starts()
    stack.compose("stop", "redis")
    try:
        wait_for(lambda: answer(503), "both apps to say so")
    finally:
        stack.compose("start", "redis")
    wait_for(lambda: answer(200), "both apps ready again", 60)
    assert starts() == before


def test_notes_outlive_their_containers(stack: ComposeStack) -> None:
    board = f"kept-{secrets.token_hex(4)}"
    note = post(stack, board, "still here")
    stack.compose("down")
    stack.start()
    with http(stack) as client:
        assert client.get("/api/notes", params={"board": board}).json()["notes"] == [note]


def test_a_key_of_ones_own_takes_the_place_of_the_generated_one(stack: ComposeStack, tmp_path: Path) -> None:
    def key(service: str) -> str:
        return stack.exec(service, "cat", "/run/secrets/secret_key")

    generated = key("wsgi")
    given, in_file = secrets.token_hex(32), secrets.token_hex(32)
    file = tmp_path / "key"
    file.write_text(in_file)
    file.chmod(0o644)
    before = dict(stack.environment)
    try:
        for form, value, own in (("SECRET_KEY", given, given), ("SECRET_KEY_FILE", str(file), in_file)):
            stack.environment = before | {form: value}
            stack.upgrade()
            assert key("wsgi") == key("asgi") == own != generated
            assert own in stack.exec("wsgi", "cat", "/run/secrets/app.env")
            with http(stack) as client:
                jwt.decode(client.post("/api/tickets").json()["ticket"], own, algorithms=["HS256"])
                assert [polled(client, signed_by) for signed_by in (own, generated)] == [200, 401]
    finally:
        stack.environment = before
        stack.upgrade()
    assert key("wsgi") == key("asgi") == generated


def polled(client: httpx.Client, key: str) -> int:
    """What the sidecar answers to a ticket that was signed with this key."""
    bearer = {"Authorization": f"Bearer {signed(key, ['private:x'])}"}
    return client.get("/ws/poll?topic=private:x&timeout=0", headers=bearer).status_code
