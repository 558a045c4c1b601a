"""Step 4. Step 3 in Starlette: routes, and methods instead of messages.

    uvicorn examples.step4_websocket_starlette:app
    websockets ws://127.0.0.1:8000/echo                             # in another window; type something

For the server nothing has changed: `app` is still one callable with a scope, `receive` and `send`.
"""

from __future__ import annotations

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect


def come_otherwise(_request: Request) -> PlainTextResponse:
    """Answers a plain HTTP request."""
    return PlainTextResponse("Come with a WebSocket.\n", status_code=426, headers={"Upgrade": "websocket"})


async def echo(websocket: WebSocket) -> None:
    """Sends every message back."""
    await websocket.accept()
    try:
        while True:
            message = await websocket.receive()
            if message.get("text") is not None:
                await websocket.send_text(message["text"])
            elif message.get("bytes") is not None:
                await websocket.send_bytes(message["bytes"])
            else:
                return
    except WebSocketDisconnect:
        pass  # the client left while a message was being sent


app = Starlette(routes=[Route("/echo", come_otherwise), WebSocketRoute("/echo", echo)])
