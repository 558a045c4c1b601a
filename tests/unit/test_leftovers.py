"""Little is left of a connection, and nothing for the garbage collector: collecting stops everybody."""

from __future__ import annotations

import asyncio
import gc
from collections import Counter
from collections.abc import Iterator
from typing import Any, NoReturn
from unittest.mock import MagicMock

import pytest
import uvicorn
from fastapi import FastAPI
from starlette.types import Receive, Scope, Send
from uvicorn.server import ServerState

from asgi_app.door import Admission
from asgi_app.server.arrival import ArrivingProtocol
from asgi_app.server.direct import DirectProtocol
from asgi_app.server.upgrade import UpgradingProtocol
from asgi_app.topics.budget import Allowance
from asgi_app.topics.hub import Hub
from asgi_app.topics.listener import Listeners
from asgi_app.topics.topic import Topic
from asgi_app.topics.whispers import Whispers
from asgi_app.transports import poll, sse
from asgi_app.transports.messages import Subscribe, client_message
from asgi_app.transports.websocket import WebSocketEndpoint
from tests.unit.test_uvicorn_contract import HANDSHAKE, Transport, turn

TEXT = b'{"op":"subscribe","topic":"board:a"}'
SUBSCRIBE = bytes([0x81, 0x80 | len(TEXT), 0, 0, 0, 0]) + TEXT


class Switching(Transport):
    """A transport that knows its protocol, as long as it is open."""

    protocol: Any = None

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        self.protocol = protocol

    def end(self) -> None:
        self.protocol.connection_lost(None)
        self.protocol = None


class Mute:
    """The `Source` of a Redis that does not answer."""

    def follow(self, topic: Topic) -> None:
        pass

    def unfollow(self, topic: Topic) -> None:
        pass

    async def refresh(self, _topic: Topic) -> None:
        await asyncio.Event().wait()

    async def read(self, *_: object) -> NoReturn:
        raise TimeoutError


@pytest.fixture
def config() -> uvicorn.Config:
    allowance = Allowance(1, 10, asyncio.Semaphore())
    door = MagicMock()
    door.listeners = Listeners()
    door.admit = lambda *_: Admission(door, allowance, None)
    door.refusal = lambda *_: None
    hub = Hub(Mute(), Whispers(MagicMock(), ()), 10)
    websocket = WebSocketEndpoint(door, hub)
    http = FastAPI(routes=[sse.route(door, hub), poll.route(door, hub)])

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await (websocket if scope["type"] == "websocket" else http)(scope, receive, send)

    made = uvicorn.Config(app, http=ArrivingProtocol, ws=DirectProtocol, log_config=None)
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
    gc.collect()
    return found


async def connect(config: uvicorn.Config, way: type[Any] = ArrivingProtocol) -> Switching:
    transport = Switching()
    protocol = way(config, ServerState(), {})
    protocol.connection_made(transport)
    protocol.data_received(HANDSHAKE)
    del protocol
    await turn()
    assert transport.written.startswith(b"HTTP/1.1 101 ")
    return transport


@pytest.mark.usefixtures("collector")
@pytest.mark.parametrize("way", [ArrivingProtocol, UpgradingProtocol])
def test_neither_the_upgrade_nor_the_end_of_a_connection_makes_garbage(
    config: uvicorn.Config, way: type[Any]
) -> None:
    async def run() -> tuple[Counter[str], Counter[str]]:
        (await connect(config, way)).end()  # what is made once
        await turn()
        left_over()
        transport = await connect(config, way)
        upgraded = left_over()
        transport.end()
        del transport
        await turn()
        return upgraded, left_over()

    upgraded, ended = asyncio.run(run())
    assert not upgraded, "Uvicorn's HTTP protocol outlives the upgrade: asgi_app/server/upgrade.py"
    assert not ended, "something of a connection holds itself: DirectProtocol.connection_lost, Session.end"


@pytest.mark.usefixtures("collector")
def test_nor_does_the_end_of_one_that_waits_for_an_answer(config: uvicorn.Config) -> None:
    async def run() -> Counter[str]:
        transport = await connect(config)
        left_over()
        transport.protocol.data_received(SUBSCRIBE)
        await turn()
        transport.end()
        del transport
        await turn()
        return left_over()

    assert not asyncio.run(run()), "the task that was cancelled is still held by what it ran for"


@pytest.mark.usefixtures("collector")
@pytest.mark.parametrize("path", ["/ws/events", "/ws/poll"])
def test_nor_does_the_end_of_a_request_that_listens(config: uvicorn.Config, path: str) -> None:
    state = ServerState()

    async def listen_and_hang_up() -> None:
        transport = Switching()
        transport.protocol = ArrivingProtocol(config, state, {})
        transport.protocol.connection_made(transport)
        transport.protocol.data_received(b"GET %b?topic=board:a HTTP/1.1\r\n\r\n" % path.encode())
        await turn()
        assert state.tasks, "it is answered already"
        transport.end()
        async with asyncio.timeout(5):
            while state.tasks:
                await turn()

    async def run() -> Counter[str]:
        await listen_and_hang_up()  # what is made once
        left_over()
        await listen_and_hang_up()
        return left_over()

    assert not asyncio.run(run()), "what was cancelled is held by its own traceback: sse.py, poll.py"


def test_the_text_of_a_message_is_not_kept() -> None:
    first, again = (client_message.validate_json(TEXT) for _ in range(2))
    assert isinstance(first, Subscribe)
    assert isinstance(again, Subscribe)
    assert first.topic is not again.topic, "Pydantic has a cache of strings, and each holds a page of memory"
