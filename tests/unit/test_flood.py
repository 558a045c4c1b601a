"""What a connection has parsed is bounded, and so is what it makes us keep."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from asgi_app import limits
from asgi_app.server.flood import MeteredProtocol
from asgi_app.settings import Settings
from asgi_app.topics.budget import Allowances
from tests.harness.sidecar import PING, PONG, TEXT, frame
from tests.unit.test_uvicorn_contract import HANDSHAKE, App, Transport, protocol_of, turn

CONT = 0


def after(story: Callable[[Any, Transport], Any]) -> Any:
    """What a story says of a connection that is open."""

    async def run() -> Any:
        transport = Transport()
        protocol = protocol_of(MeteredProtocol, App())
        protocol.connection_made(transport)
        protocol.data_received(HANDSHAKE)
        await turn()
        transport.written = b""
        answer = story(protocol, transport)
        return await answer if asyncio.iscoroutine(answer) else answer

    return asyncio.run(run())


@pytest.mark.parametrize(
    "flood",
    [
        frame(PING) * 40_000,
        frame(PONG) * 40_000,
        frame(TEXT, b"{}") * 40_000,
        frame(TEXT, fin=False) + frame(CONT, fin=False) * 40_000,
        frame(TEXT, b" " * 60_000) * 20,
    ],
    ids=["pings", "pongs", "messages", "fragments", "bytes"],
)
def test_a_burst_is_parsed_as_far_as_a_second_allows_and_no_further(flood: bytes) -> None:
    def story(protocol: Any, transport: Transport) -> None:
        protocol.data_received(flood)
        assert protocol.conn.close_sent.code == 1008
        assert transport.closed
        # The piece in which the bound was passed is the last one.
        assert protocol._frames <= limits.FRAMES_PER_SECOND + limits.PARSED_BYTES // 6
        assert protocol._bytes <= limits.BYTES_PER_SECOND + limits.PARSED_BYTES
        assert not protocol.conn.events

    after(story)


def test_a_client_that_does_not_read_is_kept_one_pong() -> None:
    def story(protocol: Any, transport: Transport) -> bytes:
        protocol.pause_writing()
        for number in range(100):
            protocol.data_received(frame(PING, b"%d" % number))
        assert not transport.written
        protocol.resume_writing()
        return transport.written

    assert after(story) == frame(PONG, b"99", masked=False)


def test_fragments_are_kept_in_one_piece() -> None:
    def story(protocol: Any, _transport: Transport) -> list[bytes]:
        protocol.data_received(frame(TEXT, b"a", fin=False) + frame(CONT, b"", fin=False) * 99)
        protocol.data_received(frame(CONT, b"b", fin=False))
        return list(protocol.frames)

    assert after(story) == [b"ab"]


def test_an_address_that_sends_too_much_is_read_more_slowly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "ALL_FRAMES_PER_SECOND", 100)
    settings = Settings(max_sockets=1, max_sockets_per_client=1, secret_key="k" * 32)  # type: ignore[arg-type]

    async def story(protocol: Any, transport: Transport) -> None:
        protocol.allowance = Allowances(settings).of("somebody")
        protocol.data_received(frame(PING) * 90)
        assert not transport.paused
        protocol.data_received(frame(PING) * 20)
        assert transport.paused
        assert not transport.closed
        while transport.paused:  # noqa: ASYNC110
            await asyncio.sleep(0.01)

    after(story)


def test_a_flood_before_the_handshake_is_answered_ends_without_a_word() -> None:
    async def run() -> Transport:
        transport = Transport()
        protocol = protocol_of(MeteredProtocol, App())
        protocol.connection_made(transport)
        protocol.data_received(HANDSHAKE + frame(PONG) * 1000)
        return transport

    assert asyncio.run(run()).aborted
