"""What clients whisper to each other: over connections of its own, so that it delays no event."""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Sequence
from fnmatch import fnmatchcase

from redis.asyncio import Redis
from redis.asyncio.connection import Connection
from redis.exceptions import NoPermissionError, RedisError

from asgi_app import limits, metrics, tasks
from asgi_app.topics import keys, store
from asgi_app.topics.budget import Rate
from asgi_app.topics.event import Whisper
from asgi_app.topics.listener import Listener
from asgi_app.topics.topic import Topic

log = logging.getLogger(__name__)


class Whispers:
    """Carries them between all processes. Nothing is kept, and whatever goes wrong, some are lost."""

    def __init__(self, redis: Redis, patterns: Sequence[str]) -> None:
        self._redis = redis
        self._patterns = patterns
        self._topics: dict[bytes, Topic] = {}  # by channel
        self._subscribed: set[bytes] = set()  # channels, in this session
        self._changed: set[bytes] = set()  # channels that may have to be subscribed to, or not any more
        self._said: list[tuple[str, bytes]] = []
        self._work = asyncio.Event()
        self._ids: dict[Listener, str] = {}
        self._speakers: dict[bytes, Listener] = {}  # by id
        self._writes = Rate(limits.WHISPER_WRITES_PER_SECOND)
        self._is_refused = False

    def allows(self, topic: str) -> bool:
        """Whether one may whisper on the topic."""
        return any(fnmatchcase(topic, pattern) for pattern in self._patterns)

    def follow(self, topic: Topic) -> None:
        """Passes on what is whispered on the topic, if one may."""
        if self.allows(topic.name):
            self._change(topic.name)
            self._topics[keys.whispers(topic.name).encode()] = topic

    def unfollow(self, topic: Topic) -> None:
        """Ends `follow`."""
        if self._topics.pop(keys.whispers(topic.name).encode(), None) is not None:
            self._change(topic.name)

    def id_of(self, speaker: Listener) -> str:
        """By what the others know this client, until `forget`."""
        if speaker not in self._ids:
            self._ids[speaker] = secrets.token_hex(6)
            self._speakers[self._ids[speaker].encode()] = speaker
        return self._ids[speaker]

    def forget(self, speaker: Listener) -> None:
        """Ends `id_of`; does nothing without."""
        if (id_ := self._ids.pop(speaker, None)) is not None:
            del self._speakers[id_.encode()]

    def say(self, topic: str, speaker: Listener, json: bytes) -> None:
        """Sends a message to everybody on the topic but the speaker, soon."""
        if len(self._said) < limits.WHISPERS_WAITING:
            self._said.append((keys.whispers(topic), self.id_of(speaker).encode() + b" " + json))
            self._work.set()

    async def run(self) -> None:
        """One session after another, until it is cancelled; none without patterns. Never fails."""
        while self._patterns:
            connection: Connection = self._redis.connection_pool.make_connection()  # type: ignore[no-untyped-call]
            try:
                await self._session(connection)
            except NoPermissionError:
                if not self._is_refused:
                    log.warning("Redis does not let this user whisper: it needs this version's users.acl")
                self._is_refused = True
            except (RedisError, OSError, TimeoutError) as error:
                log.debug("no whispers: %s", error)
            except Exception:
                log.exception("unexpected; trying again")
            finally:
                await connection.disconnect(nowait=True)
            await asyncio.sleep(limits.TICK_SECONDS)

    def _change(self, topic: str) -> None:
        self._changed.add(keys.whispers(topic).encode())
        self._work.set()

    async def _session(self, connection: Connection) -> None:
        connection.socket_timeout = None
        async with asyncio.timeout(2 * limits.ANSWER_SECONDS):
            await connection.connect()  # type: ignore[no-untyped-call]
        self._subscribed.clear()
        self._changed = set(self._topics)
        self._said.clear()  # of a while ago
        await tasks.until_one_ends(self._receive(connection), self._send(connection))

    async def _receive(self, connection: Connection) -> None:
        count = 0
        while True:
            message = await connection.read_response(timeout=limits.SILENCE_SECONDS)
            if message is None:
                raise TimeoutError("no answer to a ping")
            if message[0] == b"message":
                self._take(message[1], message[2])
            count += 1
            if count % limits.BURST_MESSAGES == 0:
                await asyncio.sleep(0)

    def _take(self, channel: bytes, payload: bytes) -> None:
        topic = self._topics.get(channel)
        if topic is None or not topic.listeners:
            return
        if not self._writes.take_if_free(len(topic.listeners)):
            metrics.limited.labels("whispers").inc()
            return
        id_, _, json = payload.partition(b" ")
        topic.whisper(Whisper(json, self._speakers.get(id_)))

    async def _send(self, connection: Connection) -> None:
        while True:
            self._work.clear()
            await self._subscribe(connection)
            await self._publish()
            try:
                async with asyncio.timeout(limits.TICK_SECONDS):
                    await self._work.wait()
            except TimeoutError:
                await store.send(connection, "PING")

    async def _subscribe(self, connection: Connection) -> None:
        changed, self._changed = self._changed, set()
        left = (changed & self._subscribed) - self._topics.keys()
        new = (changed & self._topics.keys()) - self._subscribed
        self._subscribed -= left
        self._subscribed |= new
        if left:
            await store.send(connection, "UNSUBSCRIBE", *left)
        if new:
            await store.send(connection, "SUBSCRIBE", *new)

    async def _publish(self) -> None:
        said, self._said = self._said, []
        if not said:
            return
        async with self._redis.pipeline(transaction=False) as pipe:
            for channel, payload in said:
                pipe.publish(channel, payload)
            await pipe.execute()
