"""The client for asyncio."""

from __future__ import annotations

import asyncio
import inspect
import time
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Optional, Union

from corkboard.client.core import Core, Topics
from corkboard.client.ending import Ending
from corkboard.client.messages import Item, Refused
from corkboard.client.timing import Timing
from corkboard.client.wire import FAILURES, AsyncConnection, Target, ending_of, open_async

Ticket = Callable[[], Union[Optional[str], Awaitable[Optional[str]]]]


def connect(
    url: str,
    topics: Topics,
    *,
    ticket: Ticket | None = None,
    headers: Mapping[str, str] | None = None,
    timing: Timing | None = None,
    **options: Any,
) -> AsyncStream:
    """Listens with asyncio. As `corkboard.client.listen`, but `ticket` may be a coroutine function, too.

    Raises:
        ValueError, TypeError: the address, a topic, a cursor or a time is invalid.
    """
    core = Core(topics, timing or Timing(), renewable=ticket is not None)
    return AsyncStream(core, Target(url, headers or {}, options), ticket)


class AsyncStream:
    """The events of some topics, over any number of connections.

    `async with` returns when the server has confirmed all topics. A wait for an item may be cancelled:
    nothing is lost, and the next one goes on.
    """

    def __init__(self, core: Core, target: Target, ticket: Ticket | None) -> None:
        self._core = core
        self._target = target
        self._new_ticket = ticket
        self._connection: AsyncConnection | None = None
        self._due = 0.0  # when to connect, by time.monotonic
        self._early: deque[Item] = deque()

    async def receive(self) -> Item:
        """The next event, or that some are lost.

        Raises:
            Refused: the server does not let this client in, or not to a topic.
        """
        if self._early:
            return self._early.popleft()
        while True:
            if (item := await self._step()) is not None:
                return item

    async def __aenter__(self) -> AsyncStream:
        try:
            while not self._core.begun:
                if (item := await self._step()) is not None:
                    self._early.append(item)
        except BaseException:
            await self._hang_up()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._hang_up()

    def __aiter__(self) -> AsyncStream:
        return self

    async def __anext__(self) -> Item:
        return await self.receive()

    async def _step(self) -> Item | None:
        # Goes on by one message.
        try:
            if self._connection is None:
                self._connection = await self._open()
                self._core.opened()
            return await self._exchange(self._connection)
        except Ending as ending:
            now = time.monotonic()
            try:
                self._due = now + self._core.lost(ending, now)
            finally:
                await self._hang_up()
        except Refused:
            await self._hang_up()
            raise
        return None

    async def _open(self) -> AsyncConnection:
        await asyncio.sleep(max(0.0, self._due - time.monotonic()))
        try:
            if self._core.wants_ticket and self._new_ticket is not None:
                ticket = self._new_ticket()
                self._core.renewed(await ticket if inspect.isawaitable(ticket) else ticket)
            return await open_async(self._target.address, **self._target.arguments(self._core))
        except FAILURES as error:
            raise ending_of(error) from error

    async def _exchange(self, connection: AsyncConnection) -> Item | None:
        outgoing = self._core.outgoing
        try:
            while outgoing:
                # Cancelled here, it is sent again: to ask twice does no harm.
                await connection.send(outgoing[0])
                outgoing.popleft()
            text = await connection.recv()
        except FAILURES as error:
            raise ending_of(error) from error
        return self._core.take(text, time.monotonic())

    async def _hang_up(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.close()
