"""Step 9. This deployment: a client is cut off, notes are written meanwhile, and it misses none.

    make up && python -m examples.step9_corkboard

As in step 7, chance decides which worker of Flask writes and which sidecar holds the WebSocket. Here it does
not matter: a note and its event are one step in Redis, every sidecar reads every event, and a client resumes
from the number of the last event that it received.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

import httpx
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed


class Listener:
    """Receives every event of a topic after `cursor`, once and in order, over any number of connections."""

    def __init__(self, site: str, topic: str, cursor: str) -> None:
        self._url = f"{site.replace('http', 'ws', 1)}/ws"
        self._topic = topic
        self.cursor = cursor
        self._socket: ClientConnection | None = None

    async def events(self) -> AsyncGenerator[dict[str, Any]]:
        """Yields events; reconnects with growing pauses whenever the connection is lost.

        Raises:
            LookupError: the server no longer has what was missed: fetch the list and begin at its cursor.
        """
        async for socket in connect(self._url, proxy=None):
            self._socket = socket
            try:
                await socket.send(json.dumps({"op": "subscribe", "topic": self._topic, "since": self.cursor}))
                async for text in socket:
                    message = json.loads(text)
                    if message["op"] == "subscribed" and not message["recovered"]:
                        raise LookupError(f"{self._topic} no longer goes back to {self.cursor}")
                    if message["op"] == "event":
                        self.cursor = message["id"]
                        yield message
            except ConnectionClosed:
                pass
            print("cut off; coming back")

    def cut(self) -> None:
        """Breaks the connection without a close frame."""
        if self._socket is not None:
            self._socket.transport.abort()


async def main(site: str, board: str) -> None:
    """Listens to a board, breaks its connection, and receives all that was written meanwhile."""
    async with httpx.AsyncClient(base_url=site, trust_env=False) as app:

        async def pin(text: str) -> None:
            answer = await app.post("/api/notes", json={"board": board, "text": text})
            answer.raise_for_status()
            print(f"pinned    {text}")

        page = (await app.get("/api/notes", params={"board": board})).raise_for_status().json()
        listener = Listener(site, f"board:{board}", page["cursor"])
        await pin("while here")
        async with aclosing(listener.events()) as events:
            async for event in events:
                text = event["data"]["text"]
                print(f"heard     {text}   ({event['id']})")
                if text == "while here":
                    listener.cut()
                    await pin("while away")
                    await pin("while away, too")
                if text == "while away, too":
                    return


if __name__ == "__main__":
    arguments = dict(enumerate(sys.argv[1:]))
    try:
        asyncio.run(main(arguments.get(0, "http://localhost:8080"), arguments.get(1, "examples")))
    except httpx.HTTPError as error:
        raise SystemExit(f"the deployment does not answer ({error}): start it with `make up`") from None
