"""Uvicorn, which stops and renews connections without making all clients come back in the same second."""

from __future__ import annotations

import asyncio
import logging
import random
import signal
import socket

import uvicorn

from asgi_app import limits
from asgi_app.door import Door
from asgi_app.leaving import Queue
from asgi_app.topics.listener import RESTARTING

log = logging.getLogger(__name__)


class DrainingServer(uvicorn.Server):
    """On SIGTERM: handshakes are refused, and open connections end one by one over the drain window.

    On SIGURG the open connections end in the same way, and come back: through nginx' new workers, before
    the old ones cut all of theirs at once, or to sidecars that have been added. An earlier version ignores
    that signal.
    """

    def __init__(self, config: uvicorn.Config, door: Door, drain_seconds: float, queue: Queue) -> None:
        super().__init__(config)
        self._door = door
        self._seconds = drain_seconds
        self._queue = queue
        self._renewing: asyncio.Task[None] | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Called by Uvicorn. What it accepts inherits a small send buffer.

        Left to itself the kernel takes several MiB for a client that does not read. nginx is near, so that a
        small buffer costs no speed.
        """
        await super().startup(sockets)
        asyncio.get_running_loop().add_signal_handler(signal.SIGURG, self._renew)
        for server in self.servers:
            for listening in server.sockets:
                with socket.fromfd(listening.fileno(), listening.family, listening.type) as same:
                    same.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, limits.SEND_BYTES)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Called by Uvicorn when it was told to stop; the server still accepts connections then."""
        crowded = self._seconds > 0 and any(self._door.listeners)
        if crowded:  # and serves on meanwhile
            await self._queue.wait(lambda: self.force_exit)
        await self._drain()
        if crowded:
            await self._queue.leave()
        await super().shutdown(sockets)

    async def _drain(self) -> None:
        self._door.closing = True
        await self._send_away("draining")

    def _renew(self) -> None:
        if self._renewing is None or self._renewing.done():
            self._renewing = asyncio.create_task(self._send_away("renewing connections"))

    async def _send_away(self, why: str) -> None:
        leaving = list(self._door.listeners)
        random.shuffle(leaving)
        log.info(why, extra={"connections": len(leaving), "seconds": self._seconds})
        pause = self._seconds / max(len(leaving), 1)
        begun = asyncio.get_running_loop().time()
        for number, listener in enumerate(leaving):
            # By the clock: a sleep of a fraction of a millisecond takes longer than that.
            ahead = begun + number * pause - asyncio.get_running_loop().time()
            if ahead > 0.01 and not self.force_exit:
                await asyncio.sleep(ahead)
            if listener in self._door.listeners:
                listener.end(RESTARTING)
