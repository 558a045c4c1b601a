"""Whatever a client sends, the sidecar answers as RFC 6455 demands, and nobody else notices."""

from __future__ import annotations

import asyncio
import json
import socket
import struct
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import httpx
import pytest
from websockets.asyncio.client import connect

from tests.harness.clients import http
from tests.harness.local import LocalStack
from tests.harness.sidecar import BINARY, CLOSE, PING, PONG, TEXT, RawSocket, frame, replicas
from tests.harness.stack import Stack

CONT = 0
LIMIT = 64 * 1024
QUESTION = b'{"op":"ping"}'


@pytest.fixture
def sidecar(local_stack: LocalStack) -> str:
    """The address of one process."""
    return replicas(local_stack)[0].base_url


@pytest.fixture(params=["sidecar", "nginx"])
def url(request: pytest.FixtureRequest, sidecar: str, local_stack: LocalStack) -> str:
    """Where to connect to: straight to one process, or through nginx."""
    return sidecar if request.param == "sidecar" else local_stack.base_url


def close_frame(code: int, reason: bytes = b"") -> bytes:
    return frame(CLOSE, struct.pack("!H", code) + reason)


def padded(size: int) -> bytes:
    """A good message of so many bytes."""
    return QUESTION + b" " * (size - len(QUESTION))


GOOD = {
    "in one piece": [frame(TEXT, QUESTION)],
    "in fragments": [
        frame(TEXT, QUESTION[:3], fin=False),
        frame(CONT, QUESTION[3:7], fin=False),
        frame(CONT, QUESTION[7:]),
    ],
    "with empty fragments": [
        frame(TEXT, b"", fin=False),
        frame(CONT, QUESTION, fin=False),
        frame(CONT, b""),
    ],
    "as large as allowed": [frame(TEXT, padded(LIMIT))],
    "as large as allowed in fragments": [
        frame(TEXT, padded(LIMIT)[:40_000], fin=False),
        frame(CONT, padded(LIMIT)[40_000:]),
    ],
}


@pytest.mark.parametrize("frames", GOOD.values(), ids=GOOD)
def test_a_message_is_understood(url: str, frames: list[bytes]) -> None:
    with RawSocket(url) as client:
        client.send(*frames)
        assert client.message("pong") == {"op": "pong"}


def test_a_ping_between_fragments_is_answered_at_once(url: str) -> None:
    with RawSocket(url) as client:
        client.send(frame(TEXT, QUESTION[:5], fin=False), frame(PING, b"between"))
        assert client.next() == (PONG, b"between")
        client.send(frame(CONT, QUESTION[5:]))
        assert client.message("pong")


def test_a_message_that_arrives_byte_by_byte_is_understood(url: str) -> None:
    with RawSocket(url) as client:
        client.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in frame(TEXT, QUESTION):
            client.send(bytes([byte]))
        assert client.message("pong")


@pytest.mark.parametrize("payload", [b"", b"x", b"\x00\xff" * 62 + b"!"], ids=len)
def test_a_ping_is_answered_with_its_payload(url: str, payload: bytes) -> None:
    with RawSocket(url) as client:
        client.send(frame(PING, payload))
        assert client.next() == (PONG, payload)


def test_a_pong_that_nobody_asked_for_is_ignored(url: str) -> None:
    with RawSocket(url) as client:
        client.send(frame(PONG, b"?"), frame(TEXT, QUESTION))
        assert client.message("pong")


BAD = {
    "unmasked": (1002, [frame(TEXT, QUESTION, masked=False)]),
    "reserved bit 1": (1002, [frame(TEXT, QUESTION, reserved=4)]),
    "reserved bit 2": (1002, [frame(TEXT, QUESTION, reserved=2)]),
    "reserved bit 3": (1002, [frame(TEXT, QUESTION, reserved=1)]),
    "unknown opcode 3": (1002, [frame(3, QUESTION)]),
    "unknown opcode 11": (1002, [frame(11, b"")]),
    "continuation of nothing": (1002, [frame(CONT, QUESTION)]),
    "message within a message": (1002, [frame(TEXT, b"{", fin=False), frame(TEXT, b"}")]),
    "ping in fragments": (1002, [frame(PING, b"x", fin=False)]),
    "ping of 126 bytes": (1002, [frame(PING, b"x" * 126)]),
    "close with one byte": (1002, [frame(CLOSE, b"\x03")]),
    "close with code 999": (1002, [close_frame(999)]),
    "close with code 1004": (1002, [close_frame(1004)]),
    "close with code 1005": (1002, [close_frame(1005)]),
    "close with code 1006": (1002, [close_frame(1006)]),
    "close with code 1015": (1002, [close_frame(1015)]),
    "close with code 2999": (1002, [close_frame(2999)]),
    "close with a reason that is not UTF-8": (1007, [close_frame(1000, b"\xff")]),
    "text that is not UTF-8": (1007, [frame(TEXT, b"\xce\xba\xff")]),
    "text that ends within a character": (1007, [frame(TEXT, b"\xe2\x82")]),
    "fragments that are not UTF-8 together": (
        1007,
        [frame(TEXT, b"\xe2\x82", fin=False), frame(CONT, b"\x20")],
    ),
    "binary": (1003, [frame(BINARY, QUESTION)]),
    "binary in fragments": (1003, [frame(BINARY, b"\xff", fin=False), frame(CONT, b"\xfe")]),
}


@pytest.mark.parametrize(("code", "frames"), BAD.values(), ids=BAD)
def test_what_is_wrong_is_refused_with_the_right_code(sidecar: str, code: int, frames: list[bytes]) -> None:
    refused(sidecar, code, frames)


@pytest.mark.parametrize(
    "what",
    [
        "unmasked",
        "fragments that are not UTF-8 together",
        "binary",
        "close with one byte",
    ],
)
def test_the_reason_reaches_the_client_through_nginx_too(stack: Stack, what: str) -> None:
    refused(stack.base_url, *BAD[what])


TOO_LARGE = {
    "one byte too many": [frame(TEXT, padded(LIMIT + 1))],
    "one byte too many in fragments": [frame(TEXT, padded(LIMIT), fin=False), frame(CONT, b" ")],
    "a megabyte": [frame(TEXT, padded(1024 * 1024))],
    "a promise of 2^62 bytes": [bytes([0x81, 0xFF]) + struct.pack("!Q", 2**62) + b"mask"],
}


@pytest.mark.parametrize("frames", TOO_LARGE.values(), ids=TOO_LARGE)
def test_who_sends_too_much_learns_why_although_it_is_still_sending(url: str, frames: list[bytes]) -> None:
    for attempt in range(3):
        try:
            refused(url, 1009, frames)
            return
        except (EOFError, ConnectionResetError):
            # Half a second is what it goes on listening: a machine may stand still for longer, once.
            if attempt == 2:
                raise


def refused(url: str, code: int, frames: list[bytes]) -> None:
    with RawSocket(url) as peer, RawSocket(url) as client:
        client.send(*frames)
        assert client.code() == code
        client.send(close_frame(code))
        assert client.ended()
        peer.send(frame(TEXT, QUESTION))
        assert peer.message("pong")


def test_characters_split_over_fragments_are_put_together(url: str) -> None:
    text = '{"op":"subscribe","topic":"grüße"}'.encode()
    for at in range(text.index(b"\xc3") - 1, text.index(b"\x9f") + 2):
        with RawSocket(url) as client:
            client.send(frame(TEXT, text[:at], fin=False), frame(CONT, text[at:]))
            assert client.message("error")["code"] == "bad_message"


@pytest.mark.parametrize("code", [1000, 1001, 1011, 3000, 4999])
def test_a_goodbye_is_answered_with_its_code(url: str, code: int) -> None:
    with RawSocket(url) as client:
        client.send(close_frame(code, b"bye"))
        assert client.code() == code
        assert client.ended()


@pytest.mark.parametrize("code", [1000, None])
def test_a_goodbye_within_a_message_is_answered_as_any_other(url: str, code: int | None) -> None:
    # Case 7.1.5 of the Autobahn suite; control frames may come between fragments.
    goodbye = frame(CLOSE) if code is None else close_frame(code)
    with RawSocket(url) as client:
        client.send(frame(TEXT, b"fragment1", fin=False), goodbye, frame(CONT, b"fragment2"))
        assert client.code() == code
        assert client.ended()


def test_a_goodbye_without_a_code_is_answered(url: str) -> None:
    with RawSocket(url) as client:
        client.send(frame(CLOSE))
        assert client.code() in (None, 1000)
        assert client.ended()


def test_too_many_messages_a_second_end_the_connection(url: str) -> None:
    with RawSocket(url) as peer, RawSocket(url) as client:
        client.send(frame(TEXT, QUESTION) * 300)
        assert client.code() == 1008
        client.send(close_frame(1008))
        assert client.ended()
        peer.send(frame(TEXT, QUESTION))
        assert peer.message("pong")


@pytest.mark.parametrize(
    "flood",
    [
        frame(PING) * 300,
        frame(PONG) * 300,
        frame(TEXT, b"", fin=False) + frame(CONT, b"", fin=False) * 300,
        frame(TEXT, padded(LIMIT)) * 9,
    ],
    ids=["pings", "pongs", "fragments", "bytes"],
)
def test_too_many_frames_of_any_kind_end_the_connection(sidecar: str, flood: bytes) -> None:
    with RawSocket(sidecar) as peer, RawSocket(sidecar) as client:
        client.send(flood)
        with suppress(ConnectionResetError):  # the plain writer hangs up at once
            assert client.code() == 1008
        assert client.ended()
        peer.send(frame(TEXT, QUESTION))
        assert peer.message("pong")


def test_a_second_begins_with_a_message_not_with_the_clock(url: str) -> None:
    def sent_around_the_turn_of_a_second() -> float:
        time.sleep((0.9 - time.monotonic()) % 1)
        begun = time.monotonic()
        client.send(frame(TEXT, QUESTION) * 60)
        for _ in range(60):
            assert client.message("pong")
        time.sleep(-time.monotonic() % 1)
        client.send(frame(TEXT, QUESTION) * 60)
        return time.monotonic() - begun

    for _ in range(10):
        with RawSocket(url) as client:
            if (
                sent_around_the_turn_of_a_second() < 0.5
            ):  # else the machine dozed off, and nobody was too fast
                assert client.code() == 1008
                return
    pytest.fail("this machine is too slow to say 120 messages within a second")


def test_a_hundred_messages_at_once_are_all_answered(url: str) -> None:
    with RawSocket(url) as client:
        client.send(frame(TEXT, QUESTION) * 100)
        for _ in range(100):
            assert client.message("pong")


def test_a_hundred_topics_are_enough_for_one_connection(sidecar: str) -> None:
    with RawSocket(sidecar) as client:
        for number in range(101):
            if number == 60:
                # No more than a hundred messages a second may be sent; so the first ones must have been read.
                for _ in range(60):
                    client.message("subscribed")
                time.sleep(1)
            client.say({"op": "subscribe", "topic": f"board:many-{number}"})
        for _ in range(40):
            client.message("subscribed")
        error = client.message("error")
        assert (error["code"], error["topic"]) == ("too_many_topics", "board:many-100")


@pytest.mark.parametrize(
    "missing",
    ["Upgrade: websocket\r\n", "Connection: Upgrade\r\n", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"],
)
def test_a_handshake_that_is_none_is_a_client_error(sidecar: str, missing: str) -> None:
    request = (
        "GET /ws HTTP/1.1\r\nHost: test\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    ).replace(missing, "")
    port = int(sidecar.rpartition(":")[2])
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        connection.sendall(request.encode())
        status = int(connection.recv(4096).split()[1])
    assert 400 <= status < 500


@pytest.mark.parametrize(
    ("header", "status"),
    [
        ("Sec-WebSocket-Key: short", 400),
        ("Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ", 400),
        ("Sec-WebSocket-Key: \xff\xfe", 400),
        ("Sec-WebSocket-Protocol: a;b", 400),
        ("Sec-WebSocket-Version: 8", 426),
        ("Sec-WebSocket-Version: x" + "1" * 3000, 426),
    ],
)
def test_a_bad_handshake_is_a_problem_that_says_what_to_send(url: str, header: str, status: int) -> None:
    good = {
        "Upgrade": "websocket",
        "Connection": "Upgrade",
        "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
        "Sec-WebSocket-Version": "13",
    }
    name, _, value = header.partition(": ")
    with httpx.Client(base_url=url, trust_env=False) as client:
        answer = client.get("/ws", headers={**good, name: value.encode("latin-1")})  # type: ignore[dict-item]
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["detail"]
    assert (answer.headers.get("sec-websocket-version") == "13") == (status == 426)


def test_what_is_not_http_is_a_problem_too(sidecar: str) -> None:
    port = int(sidecar.rpartition(":")[2])
    for request in (
        b"GET /ws HTTP/1.1\r\nHost: a\r\nX: a\x01b\r\n\r\n",
        b"A" * 5000 + b" / HTTP/1.1\r\n\r\n",
    ):
        with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
            connection.sendall(request)
            head, _, body = connection.recv(4096).partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 400 ")
        assert b"application/problem+json" in head
        assert json.loads(body)["status"] == 400


def test_no_extension_is_negotiated(url: str) -> None:
    # A frame that all subscribers share is right only without one.
    async def negotiated() -> list[object]:
        target = url.replace("http", "ws", 1) + "/ws"
        async with connect(target, compression="deflate", proxy=None) as client:
            await client.send('{"op":"ping"}')
            assert json.loads(await client.recv()) == {"op": "pong"}
            return list(client.protocol.extensions)

    assert asyncio.run(negotiated()) == []


def test_websocat_is_served(url: str, local_stack: LocalStack, board: str) -> None:
    program = Path(sys.executable).parent / "websocat"
    target = url.replace("http", "ws", 1) + f"/ws?topic=board:{board}"
    process = subprocess.Popen(
        [program, "-t", target], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        assert process.stdin is not None
        assert json.loads(process.stdout.readline())["op"] == "subscribed"
        with http(local_stack) as client:
            note = client.post("/api/notes", json={"board": board, "text": "hello"}).json()
        while (message := json.loads(process.stdout.readline()))["op"] != "event":
            pass
        assert message["data"] == note
        process.stdin.write('{"op":"ping"}\n')
        process.stdin.flush()
        while json.loads(process.stdout.readline())["op"] != "pong":
            pass
        process.stdin.close()
        assert process.wait(30) == 0
    finally:
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                pipe.close()
