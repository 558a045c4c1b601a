"""Step 2. The same wait as an ASGI callable: one thread, and everybody waits at the same time.

    uvicorn examples.step2_asgi_waits:app
    python -m examples.clock 40                                     # in another window
    python -m examples.clock 40 /rude

`/rude` waits without `await`, as step 1 does. Nothing warns of it, and it stops everybody.
"""

from __future__ import annotations

import asyncio
import time

from starlette.types import Receive, Scope, Send  # only names for the types

from examples.step1_wsgi_blocks import WAIT_SECONDS


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    """One call is one connection's request, or the life of the whole process."""
    if scope["type"] == "lifespan":
        await _live(scope, receive, send)
    elif scope["type"] == "http":
        await _answer(scope, send)


async def _answer(scope: Scope, send: Send) -> None:
    if scope["path"] == "/rude":
        time.sleep(WAIT_SECONDS)  # noqa: ASYNC251  (the mistake to be seen: it stops the loop, and everybody)
    else:
        await asyncio.sleep(WAIT_SECONDS)
    scope["state"]["counts"]["answered"] += 1
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]})
    await send({"type": "http.response.body", "body": b"done\n"})


async def _live(scope: Scope, receive: Receive, send: Send) -> None:
    """What WSGI has no place for: open pools before the first request, close them after the last."""
    while True:
        message = await receive()
        if message["type"] == "lifespan.startup":
            # Each request gets a shallow copy of `state`: what is to be shared is put inside something.
            scope["state"]["counts"] = {"answered": 0}
            await send({"type": "lifespan.startup.complete"})
        else:
            print(f"answered in this life: {scope['state']['counts']['answered']}", flush=True)
            await send({"type": "lifespan.shutdown.complete"})
            return
