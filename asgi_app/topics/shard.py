"""The reader of one master of a Redis Cluster."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence

import hiredis
from redis.asyncio.connection import Connection
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import ResponseError

from asgi_app.settings import Settings
from asgi_app.topics import keys, scattered, store
from asgi_app.topics.reader import Reader
from asgi_app.topics.store import Place
from asgi_app.topics.topic import Topic


class Shard(Reader):
    """The reader of one master. Its topics come and go with their slots."""

    questions: store.Questions = scattered

    def __init__(
        self,
        settings: Settings,
        on_revoked: Callable[[str, float], None],
        place: Place,
        on_elsewhere: Callable[[], None],
        has_revoked: Callable[[Place], bool],
    ) -> None:
        """`on_elsewhere`: the slots may be distributed anew. `has_revoked`: whether REVOKED is there."""
        super().__init__(settings, on_revoked, place)
        self.place = place
        self.knows_revoked = False
        self._on_elsewhere, self._has_revoked = on_elsewhere, has_revoked
        self._gaps.on_elsewhere = on_elsewhere

    @property
    def is_idle(self) -> bool:
        """Whether it follows nothing."""
        return not self._topics

    def hand_over(self, topic: Topic) -> Sequence[asyncio.Future[None]]:
        """Ends `follow`; returns those who wait for the topic."""
        self.unfollow(topic)
        return self._gaps.hand_over(topic.name)

    def take_over(self, topic: Topic, waiting: Sequence[asyncio.Future[None]]) -> None:
        """Follows a topic that another reader had, and those who wait for it."""
        self.follow(topic)
        self._gaps.take_over(topic.name, waiting)

    async def _session(self, connection: Connection) -> None:
        try:
            await super()._session(connection)
        finally:
            self._on_elsewhere()  # the master may have a successor

    def _refused(self, error: ResponseError) -> None:  # noqa: ARG002
        # The answer to a SSUBSCRIBE, which does not say to which.
        self._forget(self._requested - self._confirmed)

    def _ended(self, channel: bytes) -> None:
        # Either as we asked, or because the slot went to another server.
        if (name := keys.topic_of(channel)) in self._requested:
            self._forget({name})

    def _forget(self, names: set[str]) -> None:
        self._requested -= names
        self._confirmed -= names
        for name in names:
            # What is not looked at is marked, and so subscribed to, with the next tick.
            self._gaps.looks.remove(name)
        self._on_elsewhere()

    async def _tell(self, connection: Connection, command: str, names: Iterable[str]) -> None:
        if not connection.is_connected:
            raise RedisConnectionError("the connection is lost")
        # No command may name channels of two slots.
        packed = [hiredis.pack_command(("S" + command, keys.channel(name))) for name in names]  # type: ignore[arg-type]
        await connection.send_packed_command(b"".join(packed))

    async def _read_revoked(self) -> None:
        if not self._has_revoked(self.place):
            return
        try:
            await super()._read_revoked()
            self.knows_revoked = True
        except store.ELSEWHERE:
            self._on_elsewhere()
