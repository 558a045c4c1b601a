"""Every place that is taken is given back, whatever happens in between."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any
from unittest.mock import MagicMock

import pytest
from redis.exceptions import ConnectionError as RedisConnectionError
from starlette.exceptions import HTTPException
from starlette.requests import HTTPConnection

from asgi_app.door import Admission, Door
from asgi_app.settings import Settings
from asgi_app.tickets import Ticket
from asgi_app.topics.listener import REVOKED, UNAVAILABLE, Listeners
from asgi_app.transports.http import listening
from asgi_app.transports.poll import Poll
from asgi_app.transports.websocket import DIRECT, WebSocketEndpoint

SCOPE: dict[str, Any] = {"type": "websocket", "path": "/ws", "headers": [], "query_string": b"topic=board:a"}
CONNECTION = HTTPConnection(SCOPE)


@pytest.fixture
def door() -> Door:
    """A door with one place."""
    settings = Settings(max_sockets=1, secret_key="k" * 32)  # type: ignore[arg-type]
    return Door(settings, MagicMock(), Listeners())


def is_free(door: Door) -> bool:
    try:
        door.admit(CONNECTION, None).leave()
    except HTTPException:
        return False
    return not list(door.listeners) and not door.allowances.of("").sockets


def test_a_place_is_taken_until_it_is_left_and_left_once(door: Door) -> None:
    one = door.admit(CONNECTION, None)
    one.serve(MagicMock())
    assert not is_free(door)
    one.leave()
    two = door.admit(CONNECTION, None)
    one.leave()
    assert not is_free(door)
    two.leave()
    assert is_free(door)


@pytest.mark.parametrize("broken", ["hand_over", "session"])
def test_a_handshake_that_fails_gives_its_place_back(
    door: Door, broken: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    direct = MagicMock()
    if broken == "hand_over":
        direct.hand_over.side_effect = RuntimeError
    else:
        monkeypatch.setattr(Admission, "serve", MagicMock(side_effect=RuntimeError))
    endpoint = WebSocketEndpoint(door, MagicMock())
    with pytest.raises(RuntimeError):
        asyncio.run(endpoint({**SCOPE, "extensions": {DIRECT: direct}}, MagicMock(), MagicMock()))
    assert is_free(door)


class Hub:
    """A hub whose `subscribe` takes as long as it is told to, and which counts."""

    def __init__(self, error: Exception | None = None) -> None:
        self.subscribed = 0
        self.go_on, self.done = asyncio.Event(), asyncio.Event()
        self._error = error

    async def subscribe(self, *_: object) -> None:
        await self.go_on.wait()
        if self._error is not None:
            raise self._error
        self.subscribed += 1
        self.done.set()

    def unsubscribe(self, *_: object) -> None:
        self.subscribed -= 1


@pytest.mark.parametrize("when", ["before", "during", "after"])
@pytest.mark.parametrize("how", [RuntimeError, asyncio.CancelledError, None])
def test_a_request_that_ends_leaves_neither_place_nor_subscription(
    door: Door, when: str, how: type[BaseException] | None
) -> None:
    async def run() -> Hub:
        hub = Hub()
        block = listening(door, hub, CONNECTION, "board:a", None, Poll())  # type: ignore[arg-type]
        with suppress(RuntimeError, asyncio.CancelledError), block:
            if when != "before":
                await asyncio.sleep(0)
            if when == "after":
                hub.go_on.set()
                await hub.done.wait()
            if how is not None:
                raise how
        await asyncio.sleep(0.01)
        return hub

    assert asyncio.run(run()).subscribed == 0
    assert is_free(door)


def test_a_request_whose_topic_cannot_be_read_is_ended(door: Door) -> None:
    async def run() -> MagicMock:
        hub, listener = Hub(RedisConnectionError()), MagicMock()
        hub.go_on.set()
        with listening(door, hub, CONNECTION, "board:a", None, listener) as subscribing:  # type: ignore[arg-type]
            assert await subscribing is False
        return listener

    asyncio.run(run()).end.assert_called_once_with(UNAVAILABLE)
    assert is_free(door)


def test_a_revocation_ends_those_who_came_with_the_ticket() -> None:
    listeners = Listeners()
    tickets = {
        "theirs": Ticket("s", 5, 9, ()),
        "later": Ticket("s", 7, 9, ()),
        "of another": Ticket("t", 5, 9, ()),
        "none": None,
    }
    who = {name: MagicMock() for name in tickets}
    for name, ticket in tickets.items():
        listeners.add(who[name], ticket)
    listeners.revoke("s", 6)
    who["theirs"].end.assert_called_once_with(REVOKED)
    assert not any(who[name].end.called for name in ("later", "of another", "none"))
