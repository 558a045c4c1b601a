"""Step 8. Event streams and long polls from WSGI: they work, and each listener costs a thread.

    gunicorn --threads 4 examples.step8_listening_from_wsgi:app
    curl -N http://127.0.0.1:8000/events                            # in another window
    curl -d 'hello' http://127.0.0.1:8000/notes
    python -m examples.clock 1 --listeners 3 --listen /events
    python -m examples.clock 1 --listeners 4 --listen /events --patience 5

Three listeners leave a thread for the site. The fourth takes it, and the whole site is down, health checks
included. More threads change the number; only listening without threads removes the limit.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator

from flask import Flask, Response, request

# Only a write tells a thread that its client has left, so it writes even if there is nothing new.
KEEPALIVE_SECONDS = 1.0

app = Flask(__name__)
notes: list[str] = []
changed = threading.Condition()


@app.get("/")
def site() -> str:
    """Stands for all other pages."""
    return f"{len(notes)} notes\n"


@app.post("/notes")
def create_note() -> tuple[str, int]:
    """Stores the body as a note, and wakes all listeners."""
    with changed:
        notes.append(request.get_data(as_text=True))
        changed.notify_all()
    return f"note {len(notes)}\n", 201


@app.get("/events")
def events() -> Response:
    """Server-sent events. This returns at once, but its thread stays in `stream` until the client leaves."""

    def stream() -> Iterator[str]:
        seen = len(notes)
        yield ": welcome\n\n"
        while True:
            new = _after(seen, KEEPALIVE_SECONDS)
            for note in new:
                seen += 1
                yield f"id: {seen}\ndata: {json.dumps(note)}\n\n"
            if not new:
                yield ": still here\n\n"

    return Response(stream(), mimetype="text/event-stream")


@app.get("/poll")
def poll() -> dict[str, list[str]]:
    """`?since=N&timeout=S`: the notes after the first N, or none after S seconds.

    It writes only at the end, so a client that leaves earlier still holds the thread.
    """
    since = request.args.get("since", 0, type=int)
    return {"notes": _after(max(since, 0), min(request.args.get("timeout", 25, type=int), 25))}


def _after(seen: int, seconds: float) -> list[str]:
    with changed:
        changed.wait_for(lambda: len(notes) > seen, timeout=seconds)
        return notes[seen:]
