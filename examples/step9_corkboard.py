"""Step 9. This deployment: a client leaves, notes are written meanwhile, and it misses none.

    make up && python -m examples.step9_corkboard

As in step 7, chance decides which worker of Flask writes and which sidecar holds the WebSocket. Here it does
not matter: a note and its event are one step in Redis, every sidecar reads every event, and a client resumes
from the number of the last event that it received. The kit's client does so by itself when its connection
breaks; here it is told to leave.
"""

from __future__ import annotations

import asyncio
import sys

import httpx

from corkboard.client import Event, Refused, connect


async def hear(site: str, topic: str, cursor: str, events: int) -> str:
    """Listens to a topic from `cursor` on until so many events came; the cursor after the last one.

    Raises:
        LookupError: the server no longer has what was missed: fetch the list and begin at its cursor.
    """
    async with connect(site, {topic: cursor}, proxy=None) as stream:
        for _ in range(events):
            event = await stream.receive()
            if not isinstance(event, Event):
                raise LookupError(f"{topic} no longer goes back to {cursor}")
            cursor = event.id
            print(f"heard     {event.data['text']}   ({cursor})")
    return cursor


async def main(site: str, board: str) -> None:
    """Listens to a board, leaves, and receives all that was written meanwhile."""
    topic = f"board:{board}"
    async with httpx.AsyncClient(base_url=site, trust_env=False) as app:

        async def pin(text: str) -> None:
            answer = await app.post("/api/notes", json={"board": board, "text": text})
            answer.raise_for_status()
            print(f"pinned    {text}")

        page = (await app.get("/api/notes", params={"board": board})).raise_for_status().json()
        await pin("while here")
        cursor = await hear(site, topic, page["cursor"], 1)
        print("away")
        await pin("while away")
        await pin("while away, too")
        await hear(site, topic, cursor, 2)


if __name__ == "__main__":
    arguments = dict(enumerate(sys.argv[1:]))
    try:
        asyncio.run(main(arguments.get(0, "http://localhost:8080"), arguments.get(1, "examples")))
    except (httpx.HTTPError, Refused) as error:
        raise SystemExit(f"the deployment does not answer ({error}): start it with `make up`") from None
