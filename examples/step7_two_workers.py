"""Step 7. Step 6 with a connection manager: notes arrive by themselves, until there is a second worker.

    uvicorn examples.step7_two_workers:app --workers 2

Open http://127.0.0.1:8000 in several windows: each says which worker it talks to.

Each worker has its own `notes` and its own `manager`. Who is connected to the other one hears nothing, and
which one answers a request is chance. With `--workers 1` all is well: on one core, until the next restart.
"""

from __future__ import annotations

import os

from fastapi import FastAPI, WebSocket, WebSocketDisconnect

from examples.step6_notes_one_process import NewNote, Note, pin, router


class ConnectionManager:
    """The sockets of this process."""

    def __init__(self) -> None:
        self.connections: set[WebSocket] = set()

    async def hold(self, websocket: WebSocket) -> None:
        """Keeps a socket that was accepted until its client leaves."""
        self.connections.add(websocket)
        try:
            while (await websocket.receive())["type"] != "websocket.disconnect":
                pass  # nothing is expected of it
        finally:
            self.connections.discard(websocket)

    async def broadcast(self, text: str) -> None:
        """Tells everybody, one after the other: a client that does not read holds up those behind it."""
        for websocket in tuple(self.connections):
            try:
                await websocket.send_text(text)
            except (WebSocketDisconnect, RuntimeError):
                self.connections.discard(websocket)  # it left meanwhile


app = FastAPI(title="Sticky notes, told")
app.include_router(router)
manager = ConnectionManager()


@app.post("/notes", status_code=201)
async def create_note(new: NewNote) -> Note:
    """Pins a note and tells everybody; everybody here."""
    note = pin(new)
    await manager.broadcast(note.model_dump_json())
    return note


@app.websocket("/ws")
async def listen(websocket: WebSocket) -> None:
    """The notes to come, after a word about who speaks."""
    await websocket.accept()
    await websocket.send_json({"worker": os.getpid()})
    await manager.hold(websocket)
