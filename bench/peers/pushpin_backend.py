"""The application behind Pushpin: lets each WebSocket in and subscribes it, by WebSocket-over-HTTP.

Pushpin asks it once when a client comes and once when it leaves; the events do not pass here.
Run as: uvicorn bench.peers.pushpin_backend:app
"""

from __future__ import annotations

from fastapi import FastAPI, Request, Response

CONTROL = b'c:{"type": "subscribe", "channel": "bench"}'
OPEN_AND_SUBSCRIBE = b"OPEN\r\nTEXT %X\r\n%b\r\n" % (len(CONTROL), CONTROL)

app = FastAPI()


@app.post("/ws")
async def events(request: Request) -> Response:
    """What happened on a connection, answered with what shall happen."""
    is_new = (await request.body()).startswith(b"OPEN\r\n")
    return Response(
        OPEN_AND_SUBSCRIBE if is_new else b"",
        media_type="application/websocket-events",
        headers={"Sec-WebSocket-Extensions": "grip"},
    )


@app.get("/healthz")
async def healthz() -> dict[str, str]:
    """It is up; Pushpin passes this on as well."""
    return {"status": "ok"}
