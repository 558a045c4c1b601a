"""Who may listen: pages of this site, with a ticket for what is not public, as long as it is good."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus

from tests.harness.clients import Socket, http, wait_for
from tests.harness.local import LocalStack
from tests.harness.sidecar import (
    TEXT,
    Publisher,
    RawSocket,
    Replica,
    frame,
    replicas,
    running,
    ticket,
)
from tests.harness.stack import Stack

WAYS = ["/ws", "/ws/events", "/ws/poll"]
SECOND_KEY = secrets.token_hex(32)
PRIVATE = "user:somebody"
# Longer than a busy machine may stand still between making a ticket and showing it.
SHORT_SECONDS = 6.0


@pytest.fixture(scope="module")
def strict_stack() -> Iterator[LocalStack]:
    """Few places, two keys, a list of origins, every word in the log."""
    environment = {
        "SECRET_KEY": f"{secrets.token_hex(32)}\n{SECOND_KEY}",
        "ALLOWED_ORIGINS": "https://a.example,https://b.example",
        "MAX_SOCKETS": "6",
        "MAX_SOCKETS_PER_CLIENT": "4",
        "ASGI_REPLICAS": "1",
        "LOG_LEVEL": "debug",
    }
    with running(environment) as stack:
        yield stack


def ask(
    stack: Stack | Replica, way: str, headers: dict[str, str] | None = None, **query: str
) -> httpx.Response:
    """What the door answers; of a stream, its beginning only."""
    headers = dict(headers or {})
    if way == "/ws":
        headers |= {
            "Connection": "Upgrade",
            "Upgrade": "websocket",
            "Sec-WebSocket-Version": "13",
            "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
        }
    if way == "/ws/poll":
        query["timeout"] = "0"
    with http(stack) as client, client.stream("GET", way, params=query, headers=headers) as answer:  # type: ignore[arg-type]
        if answer.status_code >= 400:
            answer.read()
        return answer


def refused(answer: httpx.Response, status: int) -> None:
    assert answer.status_code == status, answer.text
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.json()["status"] == status
    # Made by nginx; what is asked without it has none.
    assert answer.json()["request_id"] == answer.headers.get("X-Request-Id", "")


def let_in(answer: httpx.Response) -> None:
    assert answer.status_code in (101, 200)


@pytest.mark.parametrize("way", WAYS)
def test_a_page_of_another_origin_is_refused_before_the_upgrade(stack: Stack, way: str) -> None:
    host = urlsplit(stack.base_url).netloc
    for origin in (
        "https://evil.example",
        "null",
        f"http://{host}.evil.example",
        f"http://evil.example/{host}",
        f"http://{host}@evil.example",
        "http://127.0.0.1",
        "http://[",
    ):
        refused(ask(stack, way, {"Origin": origin}, topic="board:main"), 403)
    let_in(ask(stack, way, {"Origin": f"http://{host}"}, topic="board:main"))


def test_a_list_of_origins_is_taken_to_the_letter(strict_stack: LocalStack) -> None:
    for origin in (
        "https://a.example.evil",
        "http://a.example",
        "https://a.example:8443",
        strict_stack.base_url,
    ):
        refused(ask(strict_stack, "/ws", {"Origin": origin}), 403)
    for origin in ("https://a.example", "https://b.example"):
        let_in(ask(strict_stack, "/ws", {"Origin": origin}))


@pytest.mark.parametrize("way", WAYS)
def test_a_private_topic_needs_a_ticket_that_opens_it(stack: Stack, way: str) -> None:
    refused(ask(stack, way, topic=PRIVATE), 401)
    with http(stack) as client:
        issued = client.post("/api/tickets").json()
    own = next(topic for topic in issued["topics"] if topic.startswith("user:"))
    for headers, query in (
        ({"Authorization": f"Bearer {issued['ticket']}"}, {}),
        ({"Cookie": f"a=b; corkboard_ticket={issued['ticket']}"}, {}),
        ({}, {"ticket": issued["ticket"]}),
    ):
        let_in(ask(stack, way, headers, topic=own, **query))
        refused(ask(stack, way, headers, topic=PRIVATE, **query), 403)


@pytest.mark.parametrize("way", WAYS)
def test_a_ticket_that_is_not_good_counts_as_none(local_stack: LocalStack, way: str) -> None:
    good = ticket(local_stack, [PRIVATE])
    let_in(ask(local_stack, way, topic=PRIVATE, ticket=good))
    head, claims, signature = good.split(".")
    for bad in (
        ticket(local_stack, [PRIVATE], seconds=-1),
        ticket(local_stack, [PRIVATE], key="x" * 32),
        ticket(local_stack, [PRIVATE], sub=None),
        f"eyJhbGciOiJub25lIn0.{claims}.",
        f"{head}.{claims}.{signature[:-4]}AAAA",
        "nonsense",
        "é",
    ):
        refused(ask(local_stack, way, topic=PRIVATE, ticket=bad), 401)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    "claims",
    [
        {"topics": PRIVATE},
        {"topics": [PRIVATE, 1]},
        {"exp": "9999999999"},
        {"iat": "abc"},
        {"sub": 7},
    ],
    ids=str,
)
def test_a_signed_ticket_with_a_wrong_claim_counts_as_none_and_takes_no_place(
    local_stack: LocalStack, way: str, claims: dict[str, Any]
) -> None:
    replica = replicas(local_stack)[0]
    wait_for_empty_room(local_stack)
    shown = ticket(local_stack, **{"topics": [PRIVATE], **claims})
    for topic in (PRIVATE, PRIVATE[0]):  # a string read as a list opens topics of one letter
        refused(ask(replica, way, topic=topic, ticket=shown), 401)
    assert replica.number("connections") == 0


def test_a_topic_is_asked_for_over_the_socket_too(local_stack: LocalStack) -> None:
    with Socket(local_stack, ticket=ticket(local_stack, ["user:a*"])) as socket:
        socket.send({"op": "subscribe", "topic": "user:b"})
        error = socket.expect("error")
        assert (error["code"], error["topic"]) == ("not_allowed", "user:b")
        socket.send({"op": "subscribe", "topic": "user:anna"})
        assert socket.expect("subscribed")["topic"] == "user:anna"


def test_both_keys_are_accepted(strict_stack: LocalStack) -> None:
    first = strict_stack.environment["SECRET_KEY"].split()[0]
    for key in (first, SECOND_KEY):
        let_in(ask(strict_stack, "/ws/poll", topic=PRIVATE, ticket=ticket(strict_stack, [PRIVATE], key=key)))


def test_a_socket_ends_with_its_ticket_unless_all_it_hears_is_public(
    local_stack: LocalStack, board: str
) -> None:
    short = ticket(local_stack, [PRIVATE], seconds=SHORT_SECONDS)
    with (
        Socket(local_stack, topic=PRIVATE, ticket=short) as private,
        Socket(local_stack, topic=f"board:{board}", ticket=short) as public,
    ):
        private.expect("subscribed")
        public.expect("subscribed")
        with pytest.raises(ConnectionClosed) as closed:
            private.expect("never")
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 4401
        public.send({"op": "ping"})
        public.expect("pong")
        public.send({"op": "subscribe", "topic": PRIVATE})
        assert public.expect("error")["code"] == "not_allowed"
    refused(ask(local_stack, "/ws", topic=PRIVATE, ticket=short), 401)


def test_a_stream_and_a_poll_end_with_their_ticket(local_stack: LocalStack) -> None:
    for way in ("/ws/events", "/ws/poll"):
        ends = time.time() + SHORT_SECONDS
        query = {"topic": PRIVATE, "ticket": ticket(local_stack, [PRIVATE], seconds=SHORT_SECONDS)}
        with http(local_stack) as client:
            answer = client.get(way, params=query | ({"timeout": "30"} if way == "/ws/poll" else {}))
        assert answer.status_code == 200
        assert way == "/ws/poll" or "retry: " in answer.text
        # By itself the poll would end after 30 s, and the stream never.
        assert ends - 1 < time.time() < ends + 15


def test_a_revoked_subject_is_out_everywhere_within_a_second(local_stack: LocalStack) -> None:
    # The second of three: a busy machine may stand still once. Comparing every two seconds would take longer.
    assert sorted(seconds_until_out(local_stack) for _ in range(3))[1] < 1


def seconds_until_out(local_stack: LocalStack) -> float:
    """From the revocation until everything that the subject has open is closed; others stay."""
    subject = secrets.token_hex(8)
    taken = ticket(local_stack, [PRIVATE], sub=subject)
    other = ticket(local_stack, [PRIVATE])
    with ExitStack() as exits:
        sockets = [
            exits.enter_context(Socket(replica, topic=PRIVATE, ticket=taken))  # type: ignore[arg-type]
            for replica in replicas(local_stack)
        ]
        peer = exits.enter_context(Socket(local_stack, topic=PRIVATE, ticket=other))
        client = exits.enter_context(http(local_stack))
        stream = exits.enter_context(
            client.stream("GET", "/ws/events", params={"topic": PRIVATE, "ticket": taken})
        )
        for socket in [*sockets, peer]:
            socket.expect("subscribed")
        lines = stream.iter_lines()
        assert next(lines) == "event: subscribed"
        begun = time.monotonic()
        Publisher(local_stack.state.app_env).revoke(subject)
        for socket in sockets:
            with pytest.raises(ConnectionClosed) as closed:
                socket.expect("never")
            assert closed.value.rcvd is not None
            assert closed.value.rcvd.code == 4403
        list(lines)
        took = time.monotonic() - begun
        peer.send({"op": "ping"})
        peer.expect("pong")
    for way in WAYS:
        refused(ask(local_stack, way, topic=PRIVATE, ticket=taken), 403)
        later = ticket(local_stack, [PRIVATE], sub=subject, iat=int(time.time()) + 1)
        let_in(ask(local_stack, way, topic=PRIVATE, ticket=later))
    return took


def test_a_ticket_in_the_query_is_in_no_log(strict_stack: LocalStack) -> None:
    secret = ticket(strict_stack, [PRIVATE], key=SECOND_KEY)
    for way in WAYS:
        let_in(ask(strict_stack, way, topic=PRIVATE, ticket=secret))
        let_in(ask(replicas(strict_stack)[0], way, topic=PRIVATE, ticket=secret))
        refused(ask(strict_stack, way, topic="user:other", ticket=secret), 403)
        refused(ask(strict_stack, way, {"Origin": "https://evil"}, topic=PRIVATE, ticket=secret), 403)
        wait_for_empty_room(strict_stack)  # there are few places
    with Socket(strict_stack, topic=PRIVATE, ticket=secret) as socket:
        socket.expect("subscribed")
        socket.connection.send(b"binary")
        with pytest.raises(ConnectionClosed):
            socket.expect("never")
    with RawSocket(replicas(strict_stack)[0].base_url, topic=PRIVATE, ticket=secret) as broken:
        broken.send(frame(TEXT, b"x", masked=False))
        assert broken.code() == 1002
    wait_for(lambda: "/ws/poll" in strict_stack.logs("nginx"), "the requests in the log")
    signature = secret.rpartition(".")[2]
    for service in ("nginx", "asgi", "wsgi"):
        assert signature not in strict_stack.logs(service)


def wait_for_empty_room(stack: LocalStack) -> None:
    replica = replicas(stack)[0]
    wait_for(lambda: replica.number("connections") == 0, "an empty room")


def sockets_of(replica: Replica, address: str, count: int) -> list[Socket]:
    return [Socket(replica, {"X-Forwarded-For": address}) for _ in range(count)]  # type: ignore[arg-type]


def test_places_are_limited_and_become_free_again(strict_stack: LocalStack) -> None:
    replica = replicas(strict_stack)[0]
    wait_for(lambda: replica.number("connections") == 0, "an empty room")
    one = sockets_of(replica, "192.0.2.1", 4)
    with pytest.raises(InvalidStatus) as too_many:
        sockets_of(replica, "192.0.2.1", 1)
    answer = too_many.value.response
    assert answer.status_code == 429
    assert int(answer.headers["Retry-After"]) > 0
    assert json.loads(answer.body or b"")["status"] == 429
    other = sockets_of(replica, "192.0.2.2", 2)
    for address in ("192.0.2.2", "192.0.2.3"):
        with pytest.raises(InvalidStatus) as full:
            sockets_of(replica, address, 1)
        assert full.value.response.status_code == 503
    for way in ("/ws/events", "/ws/poll"):
        assert ask(replica, way, {"X-Forwarded-For": "192.0.2.1"}, topic="board:a").status_code == 429
        assert ask(replica, way, {"X-Forwarded-For": "192.0.2.4"}, topic="board:a").status_code == 503
    for socket in one + other:
        socket.close()
    wait_for(lambda: replica.number("connections") == 0, "an empty room again")
    for socket in sockets_of(replica, "192.0.2.1", 4):
        socket.close()


def test_who_hangs_up_during_the_handshake_leaves_no_trace(strict_stack: LocalStack) -> None:
    replica = replicas(strict_stack)[0]
    wait_for(lambda: replica.number("connections") == 0, "an empty room")
    for _ in range(50):
        RawSocket.hang_up_early(replica.base_url)

    def all_fit() -> bool:
        with ExitStack() as exits:
            for _ in range(4):
                try:
                    exits.enter_context(Socket(replica, {"X-Forwarded-For": "192.0.2.1"}))  # type: ignore[arg-type]
                except InvalidStatus:
                    return False  # some of those that hung up are still to be noticed
        return True

    wait_for(all_fit, "free places again")
    wait_for_empty_room(strict_stack)
