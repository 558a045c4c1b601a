"""Flask with one empty answer: what no answer of a Flask app can cost less than."""

from __future__ import annotations

from flask import Flask

app = Flask(__name__)


@app.get("/api/notes")
def empty() -> str:
    return ""
