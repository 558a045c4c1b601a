"""Step 3. A WebSocket is the same callable, called once, and it runs as long as the client stays.

    uvicorn examples.step3_websocket_raw:app
    websockets ws://127.0.0.1:8000/echo                             # in another window; type something

A client that sends nothing costs memory, but no thread.
"""

from __future__ import annotations

from starlette.types import Receive, Scope, Send


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    """Sends every message back. WSGI cannot do that: it answers a request once."""
    if scope["type"] == "http":
        await send({"type": "http.response.start", "status": 426, "headers": [(b"upgrade", b"websocket")]})
        await send({"type": "http.response.body", "body": b"Come with a WebSocket.\n"})
    elif scope["type"] == "websocket":
        await receive()  # websocket.connect: the handshake waits for the answer
        if scope["path"] != "/echo":
            await send({"type": "websocket.close"})  # before accept this is a 403
            return
        await send({"type": "websocket.accept"})
        while (message := await receive())["type"] == "websocket.receive":
            await send({**message, "type": "websocket.send"})  # text stays text, bytes stay bytes
