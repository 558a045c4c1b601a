"""The one reader of a process: the channel wakes it, the stream is the truth. It never waits for a client."""

from __future__ import annotations

import asyncio
import logging
import math
import random
import time
from collections.abc import Callable, Iterable

from redis.asyncio.connection import Connection
from redis.exceptions import AskError, ClusterCrossSlotError, RedisError, ResponseError

from asgi_app import limits, metrics, tasks
from asgi_app.settings import Settings
from asgi_app.topics import keys, store
from asgi_app.topics.cursor import Cursor
from asgi_app.topics.event import Event
from asgi_app.topics.gaps import Gaps
from asgi_app.topics.topic import Topic

log = logging.getLogger(__name__)

CLUSTER = "REDIS_URL names one server of a Redis Cluster: expected redis+cluster://HOST:PORT,HOST:PORT"
CONTROL_CHANNEL = keys.CONTROL.encode()


class Reader:
    """Follows topics. Whatever goes wrong ends the session with Redis; the next session reads every gap."""

    questions: store.Questions = store

    def __init__(
        self, settings: Settings, on_revoked: Callable[[str, float], None], place: store.Place | None = None
    ) -> None:
        """`place`: a server of a cluster."""
        self.redis = store.connect(settings, place)
        self._on_revoked = on_revoked
        self._topics: dict[str, Topic] = {}
        self._requested: set[str] = set()  # SUBSCRIBE was sent in this session
        self._confirmed: set[str] = set()  # and answered
        # The control channel is marked like a topic: a message there only says that something changed.
        self._gaps = Gaps(self.redis, self.questions)
        self._revoked: dict[str, float] = {}  # subject -> tickets issued until then (Unix time) are void
        self._heard = self._complete_until = time.monotonic()
        self._listening = False
        self._lost_at = -math.inf  # when a session ended that was more than a try

    @property
    def ready(self) -> bool:
        """Whether it is subscribed, and Redis has given a sign of life recently."""
        return self._listening and self.silence < limits.SILENCE_SECONDS

    @property
    def serves(self) -> bool:
        """Whether it is ready, or was so a moment ago and is likely to be so again soon."""
        return self.ready or time.monotonic() - self._lost_at < limits.PATIENCE_SECONDS

    @property
    def silence(self) -> float:
        """Seconds since the last sign of life from Redis."""
        return time.monotonic() - self._heard

    @property
    def late(self) -> float:
        """For how many seconds events may be missing here: since the last sign of life without a gap."""
        return time.monotonic() - (self._heard if self._is_complete else self._complete_until)

    def is_revoked(self, subject: str, issued: float) -> bool:
        """Whether a ticket of `subject` that was issued then (Unix time) was revoked."""
        return issued <= self._revoked.get(subject, -1)

    def follow(self, topic: Topic) -> None:
        """Keeps `topic` at the stream's end from now on."""
        self._topics[topic.name] = topic
        self._gaps.mark(topic.name)

    def unfollow(self, topic: Topic) -> None:
        """Ends `follow`."""
        del self._topics[topic.name]
        self._gaps.remove(topic.name)

    async def refresh(self, topic: Topic) -> None:
        """Returns when `topic` has been compared with the stream, after this call.

        Raises:
            TimeoutError: Redis is not responding.
        """
        await self._gaps.compared(topic.name)

    async def read(self, name: str, after: int, count: int) -> store.Answer | ResponseError:
        """The position of a topic, and its events after an offset, at most `count`.

        Raises:
            RedisError: Redis is not responding.
        """
        (answer,) = await self.questions.read_many(self.redis, [(name, after)], count)
        return answer

    async def run(self) -> None:
        """One session after another, until it is cancelled. Never fails."""
        while True:
            connection: Connection = self.redis.connection_pool.make_connection()  # type: ignore[no-untyped-call]
            begun = time.monotonic()
            try:
                await self._session(connection)
            except (AskError, ClusterCrossSlotError):
                log.error(CLUSTER)
            except (RedisError, OSError, TimeoutError) as error:
                log.warning("lost Redis: %s; trying again", error)
            except Exception:
                # A reader that is dead in a process that lives would be the worst of all ends.
                log.exception("unexpected; trying again")
            finally:
                if self._listening and time.monotonic() - begun > limits.TICK_SECONDS:
                    self._lost_at = time.monotonic()
                if self._is_complete:
                    self._complete_until = self._heard
                self._listening = False
                await connection.disconnect(nowait=True)
            await asyncio.sleep(random.uniform(*limits.RECONNECT_SECONDS))

    async def close(self) -> None:
        """Closes the connections to Redis."""
        await self.redis.aclose()

    @property
    def _is_complete(self) -> bool:
        return self._listening and self._gaps.caught_up

    async def _session(self, connection: Connection) -> None:
        # With a timeout of its own it would not notice a connection that is lost while it sends.
        connection.socket_timeout = None
        async with asyncio.timeout(2 * limits.ANSWER_SECONDS):
            await connection.connect()  # type: ignore[no-untyped-call]
            await store.send(connection, "SUBSCRIBE", keys.CONTROL)
        self._requested.clear()
        self._confirmed.clear()
        self._gaps.begin(self._topics)
        self._gaps.mark(keys.CONTROL)
        metrics.reader_sessions.inc()
        await tasks.until_one_ends(
            self._receive(connection), self._compare(connection), self._tick(connection)
        )

    async def _receive(self, connection: Connection) -> None:
        count = 0
        while True:
            try:
                message = await connection.read_response(timeout=math.inf)
            except store.ELSEWHERE as error:
                self._refused(error)
                continue
            self._heard = time.monotonic()
            if message[0] in (b"message", b"smessage"):
                if message[1] == CONTROL_CHANNEL:
                    self._gaps.mark(keys.CONTROL)
                else:
                    self._take(message[1], message[2])
            elif message[0] in (b"subscribe", b"ssubscribe"):
                self._confirm(message[1])
            elif message[0] == b"pong" and message[1]:
                metrics.reader_answer.observe(self._heard - float(message[1]))
            elif message[0] == b"sunsubscribe":
                self._ended(message[1])
            count += 1
            if count % limits.BURST_MESSAGES == 0:
                # A flood of events must leave turns of the loop to everything else.
                await asyncio.sleep(0)

    def _refused(self, error: ResponseError) -> None:
        # A subscription, by a server of a cluster.
        raise error

    def _ended(self, channel: bytes) -> None:
        # A subscription, by a server of a cluster.
        pass

    async def _tell(self, connection: Connection, command: str, names: Iterable[str]) -> None:
        await store.send(connection, command, *map(keys.channel, names))

    def _take(self, channel: bytes, payload: bytes) -> None:
        topic = self._topics.get(keys.topic_of(channel))
        if topic is None:
            return
        id_, _, json = payload.partition(b" ")
        try:
            cursor = Cursor.parse(id_.decode())
        except ValueError:
            log.warning("ignored a message on %s that is no event", keys.channel(topic.name))
            return
        if topic.accept(cursor, Event(id_, json)):
            self._gaps.looks.moved(topic.name)
        else:
            self._gaps.mark(topic.name)

    def _confirm(self, channel: bytes) -> None:
        if channel == CONTROL_CHANNEL:
            self._listening = True
            log.info("listening")
            return
        name = keys.topic_of(channel)
        self._confirmed.add(name)
        # What was published before the confirmation is in the stream only.
        self._gaps.mark(name)

    async def _tick(self, connection: Connection) -> None:
        begun = time.monotonic()
        while True:
            await asyncio.sleep(random.uniform(0.75, 1.25) * limits.TICK_SECONDS)
            if time.monotonic() - max(begun, self._heard) > limits.SILENCE_SECONDS:
                raise TimeoutError("no answer to a ping")
            async with asyncio.timeout(limits.ANSWER_SECONDS):
                await store.send(connection, "PING", str(time.monotonic()))
            self._gaps.mark(keys.CONTROL)
            # A message that never came leaves no hole in the numbers until the next one comes.
            await self._gaps.look(self._topics)

    async def _compare(self, connection: Connection) -> None:
        while True:
            # In a function of its own: while this one waits, it holds no topic that was left.
            await self._compare_some(connection, await self._gaps.next())

    async def _compare_some(self, connection: Connection, names: list[str]) -> None:
        if keys.CONTROL in names:
            await self._read_revoked()
        left = [name for name in names if name not in self._topics and name in self._requested]
        if left:
            self._requested.difference_update(left)
            self._confirmed.difference_update(left)
            await self._tell(connection, "UNSUBSCRIBE", left)
        known = [name for name in names if name in self._topics]
        new = [name for name in known if name not in self._requested]
        if new:
            self._requested.update(new)
            await self._tell(connection, "SUBSCRIBE", new)
        read = [self._topics[name] for name in known if name in self._confirmed]
        await self._gaps.fill(read)
        for topic in read:
            if self._topics.get(topic.name) is topic and topic.position:
                self._gaps.looks.add(topic)

    async def _read_revoked(self) -> None:
        before, self._revoked = self._revoked, await store.revoked(self.redis)
        for subject, until in self._revoked.items():
            if before.get(subject) != until:
                self._on_revoked(subject, until)
