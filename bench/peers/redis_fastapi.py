"""Sticky notes of a FastAPI process in Redis: one atomic call writes the note, its place and the event.

What somebody would write who builds the same in FastAPI. `REDIS_URL` is a Redis that answers after the fsync.
Run as: uvicorn bench.peers.redis_fastapi:app
"""

from __future__ import annotations

import os
from datetime import UTC, datetime
from secrets import token_hex
from typing import Any

from fastapi import FastAPI, Response
from redis.asyncio import Redis

from bench.peers.notes import NewNote, Note

redis = Redis.from_url(os.environ["REDIS_URL"], protocol=2)
write = redis.register_script("""
local offset = redis.call('HINCRBY', KEYS[1], 'offset', 1)
redis.call('XADD', KEYS[2], 'MAXLEN', '=', 10000, string.format('%d-0', offset), 'event', ARGV[2])
redis.call('HSET', KEYS[3], ARGV[1], ARGV[2])
redis.call('ZADD', KEYS[4], offset, ARGV[1])
redis.call('PUBLISH', 'event', ARGV[2])
return offset
""")
KEYS = [f"{kind}:{{board:main}}" for kind in ("topic", "stream", "notes", "order")]
app = FastAPI()


@app.get("/api/notes")
async def list_notes() -> Response:
    ids: Any = await redis.zrange(KEYS[3], 0, 49, desc=True)
    notes: Any = await redis.hmget(KEYS[2], ids) if ids else []
    return Response(b"[" + b",".join(notes) + b"]", media_type="application/json")


@app.post("/api/notes", status_code=201)
async def create_note(new: NewNote) -> Note:
    now = datetime.now(UTC)
    note = Note(id=token_hex(8), created_at=now, updated_at=now, **new.model_dump())
    await write(KEYS, [note.id, note.model_dump_json()])
    return note
