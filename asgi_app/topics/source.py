"""Where a process has its events from."""

from __future__ import annotations

from typing import Protocol

from redis.asyncio import Redis
from redis.exceptions import ResponseError

from asgi_app.topics import store
from asgi_app.topics.topic import Topic


class Source(Protocol):
    """One Redis (`Reader`), or the servers of a cluster (`Shards`)."""

    redis: Redis  # for what the processes keep for each other

    @property
    def ready(self) -> bool:
        """Whether events arrive here."""

    @property
    def serves(self) -> bool:
        """Whether it is ready, or was so a moment ago and is likely to be so again soon."""

    @property
    def silence(self) -> float:
        """Seconds since the last sign of life from Redis."""

    @property
    def late(self) -> float:
        """For how many seconds events may be missing here."""

    def is_revoked(self, subject: str, issued: float) -> bool:
        """Whether a ticket of `subject` that was issued then (Unix time) was revoked."""

    def follow(self, topic: Topic) -> None:
        """Keeps `topic` at the stream's end from now on."""

    def unfollow(self, topic: Topic) -> None:
        """Ends `follow`."""

    async def refresh(self, topic: Topic) -> None:
        """Returns when `topic` has been compared with the stream, after this call."""

    async def read(self, name: str, after: int, count: int) -> store.Answer | ResponseError:
        """The position of a topic, and its events after an offset."""

    async def run(self) -> None:
        """Runs until it is cancelled. Never fails."""

    async def close(self) -> None:
        """Closes the connections to Redis."""
