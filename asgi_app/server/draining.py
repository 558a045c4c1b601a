"""Uvicorn, which stops and renews connections without making all clients come back in the same second."""

from __future__ import annotations

import asyncio
import logging
import random
import signal
import socket

import uvicorn
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from asgi_app import limits, tasks
from asgi_app.door import Door
from asgi_app.leaving import Queue
from asgi_app.topics.listener import RESTARTING
from slots import Slots

log = logging.getLogger(__name__)


class DrainingServer(uvicorn.Server):
    """On SIGTERM: handshakes are refused, and open connections end one by one over the drain window.

    On SIGURG the open connections end in the same way, and come back: through nginx' new workers, before
    the old ones cut all of theirs at once, or to sidecars that have been added. An earlier version ignores
    that signal.
    """

    def __init__(
        self,
        config: uvicorn.Config,
        door: Door,
        drain_seconds: float,
        queue: Queue,
        slots: Slots | None = None,
    ) -> None:
        super().__init__(config)
        self._door = door
        self._seconds = drain_seconds
        self._queue = queue
        self._renewing: asyncio.Task[None] | None = None
        self._slots = slots
        self._keeping: asyncio.Task[None] | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Called by Uvicorn. What it accepts inherits a small send buffer.

        Left to itself the kernel takes several MiB for a client that does not read. nginx is near, so that a
        small buffer costs no speed. A Unix socket has 208 KiB, whatever it inherits, and never more.
        """
        await super().startup(sockets)
        asyncio.get_running_loop().add_signal_handler(signal.SIGURG, self._renew)
        for server in self.servers:
            for listening in server.sockets:
                with socket.fromfd(listening.fileno(), listening.family, listening.type) as same:
                    same.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, limits.SEND_BYTES)
        if self._slots is not None:
            await self._listen_for_nginx(self._slots)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Called by Uvicorn when it was told to stop; the server still accepts connections then."""
        if self._seconds:  # and serves on meanwhile
            await self._queue.wait(lambda: self.force_exit or not any(self._door.listeners))
        if self._slots is not None and self._keeping is not None:
            await tasks.end([self._keeping])
            # Whoever is sent away meets the successor.
            self._slots.leave()
            # nginx keeps connections open, and would ask this process by them.
            for connection in list(self.server_state.connections):
                if not isinstance(connection, WebSocketsSansIOProtocol):
                    connection.shutdown()
        await self._drain()
        if self._seconds:
            await self._queue.leave()
        await super().shutdown(sockets)
        if self._slots is not None:
            self._slots.close()

    async def _listen_for_nginx(self, slots: Slots) -> None:
        def connection() -> asyncio.Protocol:
            return self.config.http_protocol_class(  # type: ignore[call-arg]
                config=self.config, server_state=self.server_state, app_state=self.lifespan.state
            )

        backlog = self.config.backlog
        listening = await asyncio.get_running_loop().create_unix_server(
            connection, sock=slots.listen(backlog), backlog=backlog
        )
        self.servers.append(listening)
        self._keeping = asyncio.create_task(self._keep(slots))

    async def _keep(self, slots: Slots) -> None:
        while True:
            if self._door.unavailable() is None:
                slots.keep()
            await asyncio.sleep(limits.SLOT_SECONDS)

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
