"""Plain FastAPI: a set of connections and a loop that awaits each of them, as in step 7 of the examples.

It receives the same events as the sidecar, from the Redis channel `CHANNEL` at `REDIS_URL`. A client may ask
for another channel with `?topic=`.
Run as: uvicorn bench.peers.fastapi_loop:app --ws websockets-sansio
"""

from __future__ import annotations

import asyncio
import os
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import redis.asyncio as redis
from fastapi import FastAPI, WebSocket

from examples.step7_two_workers import ConnectionManager

CHANNEL = os.environ["CHANNEL"]
managers: defaultdict[str, ConnectionManager] = defaultdict(ConnectionManager)
pubsub = redis.Redis.from_url(os.environ["REDIS_URL"], protocol=2).pubsub()


async def pass_on() -> None:
    """Sends every message of a channel to all its connections."""
    await pubsub.subscribe(CHANNEL)
    async for message in pubsub.listen():
        if message["type"] == "message":
            # The project publishes "EPOCH-OFFSET JSON".
            await managers[message["channel"].decode()].broadcast(message["data"].decode().partition(" ")[2])


@asynccontextmanager
async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
    """The one task that reads from Redis."""
    task = asyncio.create_task(pass_on())
    yield
    task.cancel()


app = FastAPI(lifespan=lifespan)


@app.websocket("/ws")
async def listen(websocket: WebSocket, topic: str = CHANNEL) -> None:
    """Keeps one connection until its client leaves."""
    await websocket.accept()
    if topic not in managers:
        await pubsub.subscribe(topic)
    await managers[topic].hold(websocket)
