"""A connection leaves nothing that only the garbage collector would find: collecting stops everybody."""

from __future__ import annotations

import asyncio
import gc
from collections import Counter
from collections.abc import Iterator
from typing import Any
from unittest.mock import MagicMock

import pytest
import uvicorn
from uvicorn.server import ServerState

from asgi_app.door import Admission
from asgi_app.server.direct import DirectProtocol
from asgi_app.server.upgrade import UpgradingProtocol
from asgi_app.topics.listener import Listeners
from asgi_app.transports.websocket import WebSocketEndpoint
from tests.unit.test_uvicorn_contract import HANDSHAKE, Transport, turn


class Switching(Transport):
    """A transport that knows its protocol, as long as it is open."""

    protocol: Any = None

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        self.protocol = protocol

    def end(self) -> None:
        self.protocol.connection_lost(None)
        self.protocol = None


@pytest.fixture
def config() -> uvicorn.Config:
    door = MagicMock()
    door.listeners = Listeners()
    door.admit = lambda *_: Admission(door, "here", None)
    app = WebSocketEndpoint(door, MagicMock())
    made = uvicorn.Config(app, http=UpgradingProtocol, ws=DirectProtocol, log_config=None)
    made.load()
    return made


@pytest.fixture
def collector() -> Iterator[None]:
    gc.collect()
    gc.disable()
    yield
    gc.set_debug(0)
    gc.garbage.clear()
    gc.enable()


def left_over() -> Counter[str]:
    gc.set_debug(gc.DEBUG_SAVEALL)
    gc.collect()
    gc.set_debug(0)
    found = Counter(type(one).__name__ for one in gc.garbage)
    gc.garbage.clear()
    return found


async def connect(config: uvicorn.Config) -> Switching:
    transport = Switching()
    protocol = UpgradingProtocol(config, ServerState(), {})
    protocol.connection_made(transport)
    protocol.data_received(HANDSHAKE)
    await turn()
    assert transport.written.startswith(b"HTTP/1.1 101 ")
    return transport


@pytest.mark.usefixtures("collector")
def test_neither_the_upgrade_nor_the_end_of_a_connection_makes_garbage(config: uvicorn.Config) -> None:
    async def run() -> tuple[Counter[str], Counter[str]]:
        (await connect(config)).end()  # what is made once
        await turn()
        left_over()
        transport = await connect(config)
        upgraded = left_over()
        transport.end()
        del transport
        await turn()
        return upgraded, left_over()

    upgraded, ended = asyncio.run(run())
    assert not upgraded, "Uvicorn's HTTP protocol outlives the upgrade: asgi_app/server/upgrade.py"
    assert not ended, "something of a connection holds itself: DirectProtocol.connection_lost, Session.end"
