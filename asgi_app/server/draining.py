"""Uvicorn, but with a way to stop that does not make everybody come back in the same second."""

from __future__ import annotations

import asyncio
import logging
import random
import socket

import uvicorn
from fastapi import FastAPI

from asgi_app.transports.session import RESTARTING

log = logging.getLogger(__name__)


class DrainingServer(uvicorn.Server):
    """On SIGTERM: new handshakes are refused, open connections end one by one over the drain window."""

    def __init__(self, config: uvicorn.Config, app: FastAPI, drain_seconds: float) -> None:
        super().__init__(config)
        self._app = app
        self._seconds = drain_seconds

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Called by Uvicorn when it was told to stop; the listeners are still open then."""
        await self._drain()
        await super().shutdown(sockets)

    async def _drain(self) -> None:
        state = self._app.state
        state.door.closing = True
        for waiter in tuple(state.waiters):
            waiter.happened.set()
        leaving = [*state.sessions, *state.streams]
        random.shuffle(leaving)
        log.info("draining", extra={"connections": len(leaving), "seconds": self._seconds})
        pause = self._seconds / max(len(leaving), 1)
        begun = asyncio.get_running_loop().time()
        for number, one in enumerate(leaving):
            # By the clock: a sleep of a fraction of a millisecond takes longer than that.
            ahead = begun + number * pause - asyncio.get_running_loop().time()
            if ahead > 0.01 and not self.force_exit:
                await asyncio.sleep(ahead)
            if one in state.sessions:
                one.close(RESTARTING, "restarting: come back")
            elif one in state.streams:
                one.end(1)
