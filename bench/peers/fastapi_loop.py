"""The plain FastAPI way: a set of connections, and a loop that awaits each of them; step 7 of the examples.

It takes the same events from the same channel as the sidecar does. `CHANNEL` and `REDIS_URL` say where.
Run as: uvicorn bench.peers.fastapi_loop:app --ws websockets-sansio
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import redis.asyncio as redis
from fastapi import FastAPI, WebSocket

from examples.step7_two_workers import ConnectionManager

manager = ConnectionManager()


async def pass_on() -> None:
    """Every message of the channel, to everybody."""
    async with redis.Redis.from_url(os.environ["REDIS_URL"], protocol=2).pubsub() as pubsub:
        await pubsub.subscribe(os.environ["CHANNEL"])
        async for message in pubsub.listen():
            if message["type"] == "message":
                # The project publishes "EPOCH-OFFSET JSON".
                await manager.broadcast(message["data"].decode().partition(" ")[2])


@asynccontextmanager
async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
    """The one task that reads from Redis."""
    task = asyncio.create_task(pass_on())
    yield
    task.cancel()


app = FastAPI(lifespan=lifespan)


@app.get("/healthz")
async def healthz() -> dict[str, str]:
    """It is up."""
    return {"status": "ok"}


@app.websocket("/ws")
async def listen(websocket: WebSocket) -> None:
    """Holds one client until it leaves."""
    await websocket.accept()
    await manager.hold(websocket)
