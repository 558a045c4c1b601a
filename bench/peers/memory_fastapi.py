"""Sticky notes in the memory of one FastAPI process: fast, and lost when it ends.

Run as: uvicorn bench.peers.memory_fastapi:app
"""

from __future__ import annotations

from collections import deque
from datetime import UTC, datetime
from secrets import token_hex
from typing import Literal

from fastapi import FastAPI
from pydantic import BaseModel, Field

app = FastAPI()


class NewNote(BaseModel):
    text: str = Field(min_length=1, max_length=2000)
    color: Literal["khaki", "lightblue", "lightgreen", "lightsalmon", "plum"] = "khaki"


class Note(NewNote):
    id: str
    board: str = "main"
    done: bool = False
    version: int = 1
    created_at: datetime
    updated_at: datetime


# Only the newest 50 are ever read; without a bound a long run would measure the growth of memory.
notes: deque[Note] = deque(maxlen=10_000)


@app.get("/api/notes")
async def list_notes() -> list[Note]:
    return [notes[index] for index in range(-1, -min(50, len(notes)) - 1, -1)]


@app.post("/api/notes", status_code=201)
async def create_note(new: NewNote) -> Note:
    now = datetime.now(UTC)
    note = Note(id=token_hex(8), created_at=now, updated_at=now, **new.model_dump())
    notes.append(note)
    return note
