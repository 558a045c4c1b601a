"""Step 6. Sticky notes in one FastAPI process: its memory is the database.

    uvicorn examples.step6_notes_one_process:app

Open http://127.0.0.1:8000 in two windows. Each fetches the notes every second.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, FastAPI
from fastapi.responses import FileResponse
from pydantic import BaseModel, StringConstraints


class NewNote(BaseModel):
    """A note as a client sends it."""

    text: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=2000)]


class Note(NewNote):
    """A note with the number that it got."""

    id: int


router = APIRouter()
notes: list[Note] = []


def pin(new: NewNote) -> Note:
    """Stores a note. There is one thread and no `await` in between, so no lock is needed."""
    note = Note(id=len(notes) + 1, text=new.text)
    notes.append(note)
    return note


@router.get("/notes")
async def list_notes() -> list[Note]:
    """All notes, oldest first."""
    return notes


@router.get("/", include_in_schema=False)
async def page() -> FileResponse:
    """The page that shows the notes."""
    return FileResponse(Path(__file__).with_name("wall.html"))


app = FastAPI(title="Sticky notes")
app.include_router(router)


@app.post("/notes", status_code=201)
async def create_note(new: NewNote) -> Note:
    """Stores a note and returns it with its number."""
    return pin(new)
