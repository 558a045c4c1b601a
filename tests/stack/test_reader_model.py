"""Reader and hub against a model, on a real server: whatever Redis does to them, nothing is lost or repeated.

Hypothesis makes up a story: events, lost and repeated messages, trims, cut connections, lost data, clients
that come and go. After every story each client must have got exactly what came after the place where it
began; only where that cannot be had any more is it told so.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule
from hypothesis.stateful import run_state_machine_as_test as run

from asgi_app import limits
from asgi_app.settings import Settings
from asgi_app.topics.budget import Allowances
from asgi_app.topics.cursor import BEGINNING, Cursor
from asgi_app.topics.event import Batch
from asgi_app.topics.hub import Hub
from asgi_app.topics.reader import Reader
from asgi_app.topics.whispers import Whispers
from tests.harness.redis_server import RedisServer
from tests.harness.sidecar import Publisher

SETTLED_SECONDS = 30


class Client:
    """A subscriber that remembers where it was told to be, and what it got."""

    def __init__(self) -> None:
        self.lost = 0
        self.began: Cursor | None = None
        self.position: Cursor | None = None
        self.got: list[Cursor] = []

    def write(self, batch: Batch) -> None:
        for json in batch.messages:
            start = json.index(b'"id":"') + 6
            cursor = Cursor.parse(json[start : json.index(b'"', start)].decode())
            assert self.position is not None, "an event before `subscribed`"
            known = self.position.epoch if self.position != BEGINNING else cursor.epoch
            assert cursor == Cursor(known, self.position.offset + 1), f"{cursor} came after {self.position}"
            self.position = cursor
            self.got.append(cursor)

    def subscribed(self, topic: str, cursor: Cursor, recovered: bool) -> None:  # noqa: ARG002
        if self.began is None:
            self.began = cursor
        if self.position is None or not recovered:
            self.lost += not recovered
            self.position = cursor
        assert self.position == cursor

    async def drained(self) -> None:
        await asyncio.sleep(0)


class Server:
    """A real Redis-protocol server, and one process' reader and hub on it, in a loop of their own."""

    def __init__(self, server: RedisServer) -> None:
        self.admin = server.client()
        self.publish = Publisher(server.app_env)
        self.settings = Settings(
            redis_url=f"redis://127.0.0.1:{server.port}/0",  # type: ignore[arg-type]
            redis_password_file=server.folder / "asgi" / "redis_password",
            secret_key="x" * 32,  # type: ignore[arg-type]
        )
        self.allowance = Allowances(self.settings).of("somebody")
        self.loop = asyncio.new_event_loop()
        self.reader, self.hub, self._job = self.run(self._begin())

    async def _begin(self) -> tuple[Reader, Hub, asyncio.Task[None]]:
        reader = Reader(self.settings, lambda _subject, _until: None)
        job = asyncio.create_task(reader.run())
        async with asyncio.timeout(30):
            while not reader.ready:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        return reader, Hub(reader, Whispers(reader.redis, ()), most_topics=10), job

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        return self.loop.run_until_complete(work)

    def end(self) -> None:
        async def end() -> None:
            self._job.cancel()
            await asyncio.gather(self._job, return_exceptions=True)
            await self.reader.close()

        self.run(end())
        self.loop.close()


@contextmanager
def server() -> Iterator[Server]:
    with RedisServer() as started:
        made = Server(started)
        try:
            yield made
        finally:
            made.end()


class Story(RuleBasedStateMachine):
    """One topic, which nobody used before, and a few clients."""

    server: Server
    number = 0

    def __init__(self) -> None:
        super().__init__()
        Story.number += 1
        self.topic = f"story:{os.getpid()}-{Story.number}"
        self.epochs: list[str] = []
        self.last = 0  # the offset of this epoch's last event
        self.trimmed = 0  # events up to this offset cannot be had any more
        self.clients: list[Client] = []
        self.left: list[Client] = []
        self.gaps_allowed = False

    # What Redis is told.

    @rule(count=st.integers(1, 4))
    def publish(self, count: int) -> None:
        for _ in range(count):
            cursor = Cursor.parse(self.server.publish(self.topic, "x" * 10))
            if not self.last:
                self.epochs.append(cursor.epoch)
            self.last += 1
            assert cursor == Cursor(self.epochs[-1], self.last)

    @rule(count=st.sampled_from([250, 1300]))
    def publish_many(self, count: int) -> None:
        """More than a block of the history, and more than the tail in memory."""
        if self.last < 2000:
            self.publish(count)

    @precondition(lambda self: self.last)
    @rule(count=st.integers(1, 3))
    def lose_messages(self, count: int) -> None:
        """In the stream, but nobody was told."""
        for _ in range(count):
            self.last += 1
            id_ = f"{self.epochs[-1]}-{self.last}"
            event = f'{{"op":"event","topic":"{self.topic}","id":"{id_}","type":"test","data":1}}'
            with self.server.admin.pipeline(transaction=True) as pipe:
                pipe.hset(f"topic:{{{self.topic}}}", "offset", self.last)
                pipe.xadd(f"stream:{{{self.topic}}}", {"event": event}, id=f"{self.last}-0")
                pipe.execute()

    @precondition(lambda self: self.last)
    @rule(back=st.integers(0, 5))
    def repeat_message(self, back: int) -> None:
        found = self.server.admin.xrevrange(f"stream:{{{self.topic}}}", count=back + 1)
        if found:
            entry, fields = found[-1]
            payload = f"{self.epochs[-1]}-{entry.partition(b'-')[0].decode()} ".encode() + fields[b"event"]
            self.server.admin.publish(f"event:{{{self.topic}}}", payload)

    @rule(noise=st.sampled_from([b"", b"x", b"1-2", b"\xff\xff \xff", b"-5 {}"]))
    def noise(self, noise: bytes) -> None:
        """Nothing that our side would ever publish."""
        self.server.admin.publish(f"event:{{{self.topic}}}", noise)

    @precondition(lambda self: self.last)
    @rule(keep=st.integers(0, 5))
    def trim(self, keep: int) -> None:
        self.settle()  # what everybody has got already is no loss to anybody
        self.server.admin.xtrim(f"stream:{{{self.topic}}}", maxlen=keep, approximate=False)
        self.trimmed = max(self.trimmed, self.last - keep)

    @rule()
    def cut_connections(self) -> None:
        self.server.admin.execute_command("CLIENT", "KILL", "TYPE", "pubsub")

    @precondition(lambda self: self.last)
    @rule(again=st.integers(0, 3))
    def lose_everything(self, again: int) -> None:
        self.settle()
        self.server.admin.delete(f"topic:{{{self.topic}}}", f"stream:{{{self.topic}}}")
        self.last = self.trimmed = 0
        for client in self.clients:
            client.position = None  # it must be told
        if again:
            self.publish(again)

    @rule()
    def forget_the_tail(self) -> None:
        """As when memory is short: what is missing comes from the stream."""
        if self.topic in self.server.hub.topics:
            self.server.hub.topics[self.topic].forget()

    @rule(milliseconds=st.sampled_from([0, 1, 5, 30]))
    def let_time_pass(self, milliseconds: int) -> None:
        self.server.run(asyncio.sleep(milliseconds / 1000))

    # What clients do.

    def join(self, since: Cursor | None) -> Client:
        client = Client()
        self.server.run(self.server.hub.subscribe(self.topic, since, client, self.server.allowance))
        self.clients.append(client)
        return client

    @rule()
    def subscribe(self) -> None:
        client = self.join(None)
        assert not client.lost

    @rule(data=st.data())
    def subscribe_since(self, data: st.DataObject) -> None:
        offset = data.draw(st.integers(0, self.last), label="offset")
        since = Cursor(self.epochs[-1], offset) if self.last else BEGINNING
        self.check_joined(self.join(since), since)

    @rule()
    def subscribe_from_the_beginning(self) -> None:
        self.check_joined(self.join(BEGINNING), BEGINNING)

    def check_joined(self, client: Client, since: Cursor) -> None:
        assert client.began is not None
        if client.lost and client.began.epoch != (self.epochs[-1] if self.last else BEGINNING.epoch):
            return  # it joined what was already gone, from memory, and was told so a moment later
        if client.lost:
            # What stands in memory may still be there after a trim, so this is the only direction.
            assert since.offset < self.trimmed, f"{since} could have been continued"
        else:
            begun = client.got[0].offset - 1 if client.got else (client.position or BEGINNING).offset
            assert begun == since.offset

    @precondition(lambda self: self.clients)
    @rule(data=st.data())
    def disconnect(self, data: st.DataObject) -> None:
        client = data.draw(st.sampled_from(self.clients), label="who")
        self.server.run(self.leave(client))
        if client.position is not None:
            self.left.append(client)

    @precondition(lambda self: self.left)
    @rule()
    def come_back(self) -> None:
        client = self.left.pop()
        since = client.position
        assert since is not None
        back = self.join(since)
        if since != BEGINNING and (not self.last or since.epoch != self.epochs[-1]):
            self.settle()
            assert back.lost, f"{since} is of a topic that is gone"
        else:
            self.check_joined(back, since)

    @rule(since=st.sampled_from([Cursor("0", 5), Cursor("feed", 1), Cursor("feed", 0)]))
    def come_from_elsewhere(self, since: Cursor) -> None:
        assert self.join(since).lost

    @precondition(lambda self: self.last)
    @rule(ahead=st.integers(1, 3))
    def come_from_the_future(self, ahead: int) -> None:
        assert self.join(Cursor(self.epochs[-1], self.last + ahead)).lost

    async def leave(self, client: Client) -> None:
        self.server.hub.unsubscribe(self.topic, client)
        self.clients.remove(client)

    # What must hold.

    def settle(self) -> None:
        """Waits until everybody is where the topic is."""
        end = Cursor(self.epochs[-1], self.last) if self.last else BEGINNING

        async def settled() -> None:
            deadline = time.monotonic() + SETTLED_SECONDS
            while any(client.position != end for client in self.clients):
                where = [str(client.position) for client in self.clients]
                assert time.monotonic() < deadline, f"the topic is at {end}, its clients at {where}"
                await asyncio.sleep(0.002)

        self.server.run(settled())

    def teardown(self) -> None:
        self.settle()
        for client in tuple(self.clients):
            self.server.run(self.leave(client))


def test_whatever_happens_every_client_gets_every_event_once_and_in_order(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # A server that stands still for a moment is not what these stories are about.
    monkeypatch.setattr(limits, "ANSWER_SECONDS", 30.0)
    monkeypatch.setattr(limits, "SILENCE_SECONDS", 60.0)
    # A lost message is noticed at the next comparison, a cut connection after a pause: neither may take
    # longer here than a story has time for.
    monkeypatch.setattr(limits, "TICK_SECONDS", 0.05)
    monkeypatch.setattr(limits, "RECONNECT_SECONDS", (0.05, 0.06))
    with server() as running:
        Story.server = running
        run(
            Story,
            settings=settings(
                max_examples=60,
                stateful_step_count=20,
                deadline=None,
                derandomize=bool(os.environ.get("CI")),
                print_blob=True,
                report_multiple_bugs=False,
                # A failing story is printed as it is: making it shorter takes minutes of waiting in vain.
                phases=[Phase.explicit, Phase.reuse, Phase.generate],
                suppress_health_check=list(HealthCheck),
            ),
        )


def test_a_topic_with_events_lingers_from_the_moment_when_the_last_client_left(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(limits, "LINGER_SECONDS", 1.0)

    async def visit(running: Server, topic: str) -> None:
        client = Client()
        await running.hub.subscribe(topic, None, client, running.allowance)
        if topic == "linger" and not running.hub.topics[topic].bytes:
            await asyncio.to_thread(running.publish, topic)
            while client.position == BEGINNING:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        running.hub.unsubscribe(topic, client)

    async def story(running: Server) -> float:
        await visit(running, "linger")
        await asyncio.sleep(0.6)
        await visit(running, "linger")
        left = time.monotonic()
        while "linger" in running.hub.topics:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        await visit(running, "quiet")
        assert not running.hub.topics, "nothing would be missed of a topic without events"
        assert not running.allowance.topics
        return time.monotonic() - left

    with server() as running:
        assert running.run(story(running)) > 0.95
