"""Flask without anything around it: what no answer of a Flask app can cost less than.

The empty answer is the floor. The other two ask Redis once, by the kit: what no answer that is exact, or that
is written before it is given, can cost less than.
"""

from __future__ import annotations

from flask import Flask

import corkboard

TOPIC = "board:bare"
app = Flask(__name__)


@app.get("/api/notes")
def empty() -> str:
    return ""


@app.get("/position")
def position() -> str:
    return corkboard.position(TOPIC)


@app.post("/api/notes")
def publish() -> str:
    return corkboard.publish(TOPIC, "note.created")
