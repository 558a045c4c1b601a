"""The one reader of a process: the channel wakes it, the stream is the truth. It never waits for a client."""

from __future__ import annotations

import asyncio
import logging
import math
import random
from collections.abc import Callable
from itertools import islice

from redis.asyncio.connection import Connection
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError, ResponseError

from asgi_app import metrics, tasks
from asgi_app.settings import Settings
from asgi_app.topics import store as streams
from asgi_app.topics.cursor import Cursor
from asgi_app.topics.event import Event
from asgi_app.topics.topic import Topic

log = logging.getLogger(__name__)

# Half-open connections: a ping every other second, and silence for this long ends the session.
SILENCE_SECONDS = 6.0
TICK_SECONDS = 2.0
BATCH = 100  # topics a round trip
# A flood of events must leave turns of the loop to everybody else.
BURST = 256
# Like a topic: the channel says that something changed, and what it is stands in Redis.
CONTROL = "control"
CONTROL_CHANNEL = b"control"


class Reader:
    """Follows topics. Everything that can go wrong ends the session; a new one reads every gap."""

    def __init__(self, settings: Settings, on_revoked: Callable[[str, float], None]) -> None:
        self._on_revoked = on_revoked
        self.redis = streams.connect(settings)
        self._topics: dict[str, Topic] = {}
        self._requested: set[str] = set()  # SUBSCRIBE was sent in this session
        self._confirmed: set[str] = set()  # and answered
        self._leaving: list[str] = []
        self._dirty: set[str] = set()  # to be compared with the stream
        self._waiting: dict[str, list[asyncio.Future[None]]] = {}
        self._work = asyncio.Event()
        self._revoked: dict[str, float] = {}  # subject -> tickets issued until then, seconds of the epoch
        self._heard = -math.inf
        self._listening = False

    @property
    def ready(self) -> bool:
        """Subscribed, and Redis was heard of a moment ago."""
        return self._listening and asyncio.get_running_loop().time() - self._heard < SILENCE_SECONDS

    def is_revoked(self, subject: str, issued: float) -> bool:
        """Whether a ticket that was issued then was taken back."""
        return issued <= self._revoked.get(subject, -1)

    def follow(self, topic: Topic) -> None:
        """Keeps `topic` at the stream's end from now on."""
        self._topics[topic.name] = topic
        self._touch(topic.name)

    def unfollow(self, topic: Topic) -> None:
        """Ends `follow`."""
        del self._topics[topic.name]
        self._leaving.append(topic.name)
        self._work.set()

    async def refresh(self, topic: Topic) -> None:
        """Returns when `topic` has been compared with the stream, after this call.

        Raises:
            TimeoutError: Redis does not answer.
        """
        done = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(topic.name, []).append(done)
        self._touch(topic.name)
        async with asyncio.timeout(streams.ANSWER_SECONDS + 1):
            await done

    async def run(self) -> None:
        """Session after session, until it is cancelled. Never fails."""
        while True:
            connection: Connection = self.redis.connection_pool.make_connection()  # type: ignore[no-untyped-call]
            try:
                await self._session(connection)
            except* (RedisError, OSError, TimeoutError) as group:
                log.warning("lost Redis: %s; trying again", _innermost(group))
            except* Exception as group:
                # A reader that is dead in a process that lives would be the worst of all ends.
                log.exception("unexpected; trying again", exc_info=group)
            finally:
                self._listening = False
                await connection.disconnect(nowait=True)
            await asyncio.sleep(random.uniform(0.1, 1.0))

    async def close(self) -> None:
        """Gives back the connections."""
        await self.redis.aclose()

    def _touch(self, *names: str) -> None:
        self._dirty.update(names)
        self._work.set()

    async def _session(self, connection: Connection) -> None:
        # With a timeout of its own it would not notice a connection that is lost while it sends.
        connection.socket_timeout = None
        async with asyncio.timeout(2 * streams.ANSWER_SECONDS):
            await connection.connect()  # type: ignore[no-untyped-call]
            await _send(connection, "SUBSCRIBE", CONTROL)
        self._requested.clear()
        self._confirmed.clear()
        self._leaving.clear()
        self._touch(CONTROL, *self._topics)
        metrics.reader_sessions.inc()
        jobs = [
            asyncio.create_task(job)
            for job in (self._receive(connection), self._compare(connection), self._tick(connection))
        ]
        try:
            done, _ = await asyncio.wait(jobs, return_when=asyncio.FIRST_COMPLETED)
        finally:
            await tasks.end(jobs)
        for job in done:
            job.result()

    async def _receive(self, connection: Connection) -> None:
        loop = asyncio.get_running_loop()
        count = 0
        while True:
            message = await connection.read_response(timeout=math.inf)
            self._heard = loop.time()
            if message[0] == b"message":
                if message[1] == CONTROL_CHANNEL:
                    self._touch(CONTROL)
                else:
                    self._take(message[1], message[2])
            elif message[0] == b"subscribe":
                self._confirm(message[1].decode())
            count += 1
            if count % BURST == 0:
                await asyncio.sleep(0)

    def _take(self, channel: bytes, payload: bytes) -> None:
        topic = self._topics.get(channel[7:-1].decode())  # event:{NAME}
        if topic is None:
            return
        id_, _, json = payload.partition(b" ")
        try:
            cursor = Cursor.parse(id_.decode())
        except ValueError:
            log.warning("no event, ignored: a message on %s", _channel(topic.name))
            return
        if not topic.accept(cursor, Event(id_, json)):
            self._touch(topic.name)

    def _confirm(self, channel: str) -> None:
        if channel == CONTROL:
            self._listening = True
            log.info("listening")
            return
        name = channel[7:-1]
        self._confirmed.add(name)
        # What was published before the confirmation is in the stream only.
        self._touch(name)

    async def _tick(self, connection: Connection) -> None:
        loop = asyncio.get_running_loop()
        self._heard = loop.time()
        while True:
            await asyncio.sleep(random.uniform(0.75, 1.25) * TICK_SECONDS)
            metrics.reader_silence.set(loop.time() - self._heard)
            if loop.time() - self._heard > SILENCE_SECONDS:
                raise TimeoutError("no answer to a ping")
            async with asyncio.timeout(streams.ANSWER_SECONDS):
                await _send(connection, "PING")
            # A message that never came leaves no hole in the numbers until the next one comes.
            self._touch(CONTROL, *self._topics)

    async def _compare(self, connection: Connection) -> None:
        while True:
            await self._work.wait()
            self._work.clear()
            if self._leaving:
                leaving = [name for name in self._leaving if name not in self._topics]
                self._leaving.clear()
                self._requested.difference_update(leaving)
                self._confirmed.difference_update(leaving)
                if leaving:
                    await _send(connection, "UNSUBSCRIBE", *map(_channel, leaving))
            while batch := list(islice(self._dirty, BATCH)):
                self._dirty.difference_update(batch)
                if CONTROL in batch:
                    await self._read_revoked()
                known = [name for name in batch if name in self._topics]
                new = [name for name in known if name not in self._requested]
                if new:
                    self._requested.update(new)
                    await _send(connection, "SUBSCRIBE", *map(_channel, new))
                await self._read_gaps([self._topics[name] for name in known if name in self._confirmed])

    async def _read_revoked(self) -> None:
        before, self._revoked = self._revoked, await streams.revoked(self.redis)
        for subject, until in self._revoked.items():
            if before.get(subject) != until:
                self._on_revoked(subject, until)

    async def _read_gaps(self, topics: list[Topic]) -> None:
        if not topics:
            return
        asked = [topic.position for topic in topics]
        waiting = [(topic.name, self._waiting.pop(topic.name, [])) for topic in topics]
        try:
            answers = await streams.read_many(
                self.redis,
                [
                    (topic.name, position.offset if position else None)
                    for topic, position in zip(topics, asked, strict=True)
                ],
            )
        except BaseException:  # also when the session ends meanwhile
            for name, futures in waiting:  # the next one answers them
                self._waiting.setdefault(name, []).extend(futures)
            raise
        for topic, before, answer, (_, futures) in zip(topics, asked, answers, waiting, strict=True):
            pending = [done for done in futures if not done.done()]
            if isinstance(answer, ResponseError):
                log.error("cannot read %s: %s", topic.name, answer)
                for done in pending:
                    done.set_exception(answer)
                continue
            if topic.fill(before, *answer):
                self._touch(topic.name)
            for done in pending:
                done.set_result(None)


async def _send(connection: Connection, *command: str) -> None:
    # redis-py would connect anew, silently and without the subscriptions.
    if not connection.is_connected:
        raise RedisConnectionError("the connection is lost")
    await connection.send_command(*command)


def _channel(name: str) -> str:
    return f"event:{{{name}}}"


def _innermost(error: BaseException) -> BaseException:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
