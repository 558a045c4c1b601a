"""Listeners over HTTP that resume: an event stream, and long polls."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import httpx

from prove.listening import Events, Listener

# A stream carries comments and a poll ends more often than that; as in realtime.js.
SILENT_AT_MOST_SECONDS = 28.0
POLL_SECONDS = 15


class _HttpListener(Listener):
    """Asks again and again, with its position."""

    path = ""

    def __init__(self, client: httpx.AsyncClient, topic: str, ticket: str, events: Events) -> None:
        super().__init__(events)
        self._client = client
        self._query = {"topic": topic, **({"ticket": ticket} if ticket else {})}
        self._task: asyncio.Task[None] | None = None

    def open(self) -> None:
        """Connects; comes back by itself."""
        self._task = asyncio.create_task(self._run())

    def close(self) -> None:
        """Hangs up, and does not come back."""
        if self._task:
            self._task.cancel()

    async def _run(self) -> None:
        while True:
            cursor = self.ledger.cursor
            query = {**self._query, **({"since": cursor} if cursor else {})}
            try:
                await self._listen(query)
            except httpx.HTTPStatusError as error:
                self.refused(str(error.response.status_code))
            except (httpx.HTTPError, json.JSONDecodeError):
                if not self.connected:
                    self.refused("no answer")
            else:
                if self.connected and self.kind == PollListener.kind:
                    continue
            self.cut()
            await asyncio.sleep(self.pause())

    async def _listen(self, query: dict[str, str]) -> None:
        raise NotImplementedError

    def _take(self, event: dict[str, Any]) -> None:
        self.heard(event["id"], json.dumps(event).encode())


class StreamListener(_HttpListener):
    """An event stream."""

    kind = "stream"
    path = "/ws/events"

    async def _listen(self, query: dict[str, str]) -> None:
        async with self._client.stream(
            "GET", self.path, params=query, timeout=httpx.Timeout(6, read=SILENT_AT_MOST_SECONDS)
        ) as answer:
            answer.raise_for_status()
            kind = ""
            async for line in answer.aiter_lines():
                name, _, value = line.partition(":")
                value = value.removeprefix(" ")
                if name == "event":
                    kind = value
                elif name == "data" and kind == "subscribed":
                    message = json.loads(value)
                    self.subscribed(message["cursor"], message["recovered"])
                elif name == "data" and not kind:
                    self._take(json.loads(value))
                elif not line:
                    kind = ""


class PollListener(_HttpListener):
    """Long polls."""

    kind = "poll"
    path = "/ws/poll"

    async def _listen(self, query: dict[str, str]) -> None:
        # Without a position a poll waits for an event before it says where it began.
        seconds = POLL_SECONDS if "since" in query else 0
        answer = await self._client.get(
            self.path,
            params={**query, "timeout": seconds},
            timeout=httpx.Timeout(6, read=SILENT_AT_MOST_SECONDS),
        )
        answer.raise_for_status()
        message = answer.json()
        if not message["recovered"] or not self.connected:
            # The cursor is the position after the events.
            known = message["recovered"] and "since" in query
            self.subscribed(query["since"] if known else message["cursor"], message["recovered"])
        for event in message["events"]:
            self._take(event)
