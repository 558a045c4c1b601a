"""Step 7. Step 6 with a connection manager: notes are pushed, until there is a second worker.

    uvicorn examples.step7_two_workers:app --workers 2

Open http://127.0.0.1:8000 in several windows: each shows the worker that it is connected to.

Each worker has its own `notes` and its own `manager`. Chance decides which one answers a request, and clients
of the other one receive nothing. With `--workers 1` all is well: on one core, until the next restart.
"""

from __future__ import annotations

import os

from fastapi import FastAPI, WebSocket, WebSocketDisconnect

from examples.step6_notes_one_process import NewNote, Note, pin, router


class ConnectionManager:
    """The WebSockets of this process."""

    def __init__(self) -> None:
        self.connections: set[WebSocket] = set()

    async def hold(self, websocket: WebSocket) -> None:
        """Keeps an accepted WebSocket until its client leaves."""
        self.connections.add(websocket)
        try:
            while (await websocket.receive())["type"] != "websocket.disconnect":
                pass  # clients send nothing that matters
        finally:
            self.connections.discard(websocket)

    async def broadcast(self, text: str) -> None:
        """Sends to all clients in turn: one that does not read delays those after it."""
        for websocket in tuple(self.connections):
            try:
                await websocket.send_text(text)
            except (WebSocketDisconnect, RuntimeError):
                self.connections.discard(websocket)  # its client has left


app = FastAPI(title="Sticky notes, pushed")
app.include_router(router)
manager = ConnectionManager()


@app.post("/notes", status_code=201)
async def create_note(new: NewNote) -> Note:
    """Stores a note and sends it to the clients of this process."""
    note = pin(new)
    await manager.broadcast(note.model_dump_json())
    return note


@app.websocket("/ws")
async def listen(websocket: WebSocket) -> None:
    """Sends the number of this worker, and then each new note."""
    await websocket.accept()
    await websocket.send_json({"worker": os.getpid()})
    await manager.hold(websocket)
