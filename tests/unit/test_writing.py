"""What a client that falls behind is told is true of every such client."""

from __future__ import annotations

import asyncio

import pytest

from asgi_app import limits
from asgi_app.server.direct import DirectProtocol
from tests.unit.test_uvicorn_contract import HANDSHAKE, App, Transport, protocol_of, turn


def test_a_client_that_reads_but_too_slowly_is_told_that_it_was_behind(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(limits, "BEHIND_SECONDS", 0.05)

    async def run() -> Transport:
        transport = Transport()
        protocol = protocol_of(DirectProtocol, App())
        protocol.connection_made(transport)
        protocol.data_received(HANDSHAKE)
        await turn()
        protocol.pause_writing()
        # It reads, but the buffer is never empty enough to resume.
        await asyncio.sleep(0.2)
        return transport

    close = asyncio.run(run()).written.partition(b"\x03\xf5")[2]  # 1013
    assert close.startswith(b"too slow: behind for ")


def test_a_client_that_catches_up_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "BEHIND_SECONDS", 0.05)

    async def run() -> bool:
        protocol = protocol_of(DirectProtocol, App())
        protocol.connection_made(Transport())
        protocol.data_received(HANDSHAKE)
        await turn()
        protocol.pause_writing()
        protocol.resume_writing()
        await asyncio.sleep(0.2)
        return bool(protocol.close_sent)

    assert asyncio.run(run()) is False
