"""Sticky notes in the memory of one FastAPI process: fast, and lost when it ends. With the same wall.

Run as: uvicorn bench.peers.memory_fastapi:app
"""

from __future__ import annotations

from collections import deque
from datetime import UTC, datetime
from pathlib import Path
from secrets import token_hex
from tempfile import TemporaryDirectory

from fastapi import FastAPI, WebSocket
from fastapi.responses import HTMLResponse
from fastapi.staticfiles import StaticFiles
from jinja2 import Environment, FileSystemLoader

from asgi_app.client import joining
from bench.peers.notes import NewNote, Note
from examples.step7_two_workers import ConnectionManager
from wsgi_app.notes import words

ROOT = Path(__file__).parents[2]
TEMPLATES = Environment(loader=FileSystemLoader(ROOT / "wsgi_app" / "notes" / "templates"), autoescape=True)
TEMPLATES.globals["static"] = lambda name: f"/static/{name}"
PAGE = TEMPLATES.get_template("wall.html").render(
    board="main", colors=["khaki"], longest=2000, **words.context("en")
)

# The scripts as Corkboard serves them, for as long as this process lives.
SCRIPTS = TemporaryDirectory()
joining.write(ROOT / "wsgi_app" / "notes" / "static", Path(SCRIPTS.name, "static"), "main.js")
Path(SCRIPTS.name, "client").mkdir()
for name, content in joining.joined(ROOT / "asgi_app" / "client").items():
    Path(SCRIPTS.name, "client", name).write_bytes(content)

app = FastAPI()
app.mount("/static", StaticFiles(directory=Path(SCRIPTS.name, "static")))
app.mount("/ws/client", StaticFiles(directory=Path(SCRIPTS.name, "client")))
manager = ConnectionManager()


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
    await manager.broadcast(note.model_dump_json())
    return note


@app.get("/")
async def wall() -> HTMLResponse:
    return HTMLResponse(PAGE)


@app.websocket("/ws")
async def listen(websocket: WebSocket) -> None:
    await websocket.accept()
    await manager.hold(websocket)
