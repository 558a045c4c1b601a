"""Where the writers write: the demo's API, or an app of the user's own by way of the kit."""

from __future__ import annotations

import asyncio
import secrets
from typing import Any, Protocol

import httpx

from corkboard import NotConfigured, StoreUnavailable, listen, publish


class Failed(Exception):
    """A request was not answered as it should be; the message says how, in two or three words."""


class Desk(Protocol):
    """Writes, and knows what is stored. A write is known by its text, and by the id that it was given."""

    topic: str
    ticket: str

    async def write(self, text: str, key: str | None) -> str:
        """Writes once; the id that the answer names.

        Raises:
            Failed: it was not acknowledged.
        """

    async def read(self) -> None:
        """Reads as a visitor does.

        Raises:
            Failed: it was not answered.
        """

    async def position(self) -> str:
        """The topic's position now."""

    async def stored(self, least: int) -> list[tuple[str, str]] | None:
        """Id and text of at least the last `least` writes; None where only the events are stored."""

    def entry(self, event: dict[str, Any]) -> tuple[str, str]:
        """Id and text of the write that an event tells of."""


class Demo:
    """Notes on a board of their own."""

    ticket = ""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self.board = f"prove-{secrets.token_hex(6)}"
        self.topic = f"board:{self.board}"
        self._client = client
        self._reads = 0

    async def write(self, text: str, key: str | None) -> str:
        """As `Desk.write`."""
        headers = {"Idempotency-Key": key} if key else {}
        body = {"board": self.board, "text": text, "color": "khaki"}
        answer = await request(self._client, "POST", "/api/notes", json=body, headers=headers)
        return str(answer.json()["id"])

    async def read(self) -> None:
        """As `Desk.read`: in turn the list and the page."""
        self._reads += 1
        path = f"/b/{self.board}" if self._reads % 2 else f"/api/notes?board={self.board}&limit=20"
        await request(self._client, "GET", path)

    async def position(self) -> str:
        """As `Desk.position`."""
        answer = await request(self._client, "GET", f"/api/notes?board={self.board}&limit=1")
        return str(answer.json()["cursor"])

    async def stored(self, least: int) -> list[tuple[str, str]] | None:
        """As `Desk.stored`: newest first."""
        found: list[tuple[str, str]] = []
        page: str | None = ""
        while page is not None and len(found) < least:
            query = {"board": self.board, "limit": "200", "page": page}
            answer = (await request(self._client, "GET", "/api/notes", params=query)).json()
            found += [(note["id"], note["text"]) for note in answer["notes"]]
            page = answer["next"]
        return found

    def entry(self, event: dict[str, Any]) -> tuple[str, str]:
        """As `Desk.entry`."""
        return event["data"]["id"], event["data"]["text"]


class App:
    """Events on a topic of their own, published by the kit with the settings of this environment."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self.topic = f"prove:{secrets.token_hex(6)}"
        self.ticket: str = listen(self.topic).json["ticket"]
        self._client = client

    async def write(self, text: str, key: str | None) -> str:
        """As `Desk.write`."""
        try:
            return await asyncio.to_thread(publish, self.topic, "prove.write", text, key=key)
        except StoreUnavailable:
            raise Failed("publish: StoreUnavailable") from None

    async def read(self) -> None:
        """As `Desk.read`: the app's first page, whatever it answers, unless that is an error of a server."""
        await request(self._client, "GET", "/", most=499)

    async def position(self) -> str:
        """As `Desk.position`."""
        cursor = (await asyncio.to_thread(listen, self.topic)).json["topics"][self.topic]
        if cursor is None:
            raise Failed("no position")
        return str(cursor)

    async def stored(self, least: int) -> list[tuple[str, str]] | None:  # noqa: ARG002
        """As `Desk.stored`."""
        return None

    def entry(self, event: dict[str, Any]) -> tuple[str, str]:
        """As `Desk.entry`."""
        return event["id"], event["data"]


async def request(
    client: httpx.AsyncClient, method: str, path: str, most: int = 299, **more: Any
) -> httpx.Response:
    """Sends a request.

    Raises:
        Failed: its status is above `most`, or there was no answer.
    """
    try:
        answer = await client.request(method, path, **more)
    except httpx.HTTPError as error:
        raise Failed(
            f"{method} {'refused' if isinstance(error, httpx.ConnectError) else 'no answer'}"
        ) from None
    if answer.status_code > most:
        raise Failed(f"{method} {answer.status_code}")
    return answer


__all__ = ["App", "Demo", "Desk", "Failed", "NotConfigured", "request"]
