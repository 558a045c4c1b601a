"""Sticky notes in the memory of one Flask process, as most tutorials begin.

Run as: gunicorn --threads 8 'bench.peers.memory_flask:app'
"""

from __future__ import annotations

from collections import deque
from datetime import UTC, datetime
from secrets import token_hex
from typing import Any

from flask import Flask, abort, jsonify, request
from flask.typing import ResponseReturnValue

app = Flask(__name__)
notes: deque[dict[str, Any]] = deque(maxlen=10_000)


@app.get("/api/notes")
def list_notes() -> ResponseReturnValue:
    return jsonify([notes[index] for index in range(-1, -min(50, len(notes)) - 1, -1)])


@app.post("/api/notes")
def create_note() -> ResponseReturnValue:
    text = request.get_json().get("text", "")
    if not 1 <= len(text) <= 2000:
        abort(422)
    now = datetime.now(UTC).isoformat()
    note = {
        "id": token_hex(8), "board": "main", "text": text, "color": request.json.get("color", "khaki"),
        "done": False, "version": 1, "created_at": now, "updated_at": now,
    }  # fmt: skip
    notes.append(note)
    return note, 201
