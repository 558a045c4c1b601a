"""Step 2. The same wait as an ASGI callable: one thread, and all requests wait at the same time.

    uvicorn examples.step2_asgi_waits:app
    python -m examples.clock 40                                     # in another window
    python -m examples.clock 40 /rude

`/rude` waits without `await`, as step 1 does. Nothing warns about it, and it stops all other requests.
"""

from __future__ import annotations

import asyncio
import time

from starlette.types import Receive, Scope, Send  # for the types only

from examples.step1_wsgi_blocks import WAIT_SECONDS


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    """Handles one request, or with the scope `lifespan` the start and the end of the process."""
    if scope["type"] == "lifespan":
        await _live(scope, receive, send)
    elif scope["type"] == "http":
        await _answer(scope, send)


async def _answer(scope: Scope, send: Send) -> None:
    if scope["path"] == "/rude":
        time.sleep(WAIT_SECONDS)  # noqa: ASYNC251  (the mistake to show: it blocks the event loop)
    else:
        await asyncio.sleep(WAIT_SECONDS)
    scope["state"]["counts"]["answered"] += 1
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]})
    await send({"type": "http.response.body", "body": b"done\n"})


async def _live(scope: Scope, receive: Receive, send: Send) -> None:
    """Runs before the first request and after the last. WSGI has no such place to open and close pools."""
    while True:
        message = await receive()
        if message["type"] == "lifespan.startup":
            # Each request gets a shallow copy of `state`: only what is inside an object is shared.
            scope["state"]["counts"] = {"answered": 0}
            await send({"type": "lifespan.startup.complete"})
        else:
            print(f"answered in this life: {scope['state']['counts']['answered']}", flush=True)
            await send({"type": "lifespan.shutdown.complete"})
            return
