"""A Redis Cluster of real servers: sidecars follow all masters, a slot moves, a master dies."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

import corkboard
from asgi_app.topics.keys import PROCESSES
from corkboard import NotConfigured, StoreUnavailable, Unconfirmed
from corkboard.client import Event, Lost
from corkboard.publish import positions
from corkboard.store import use
from tests.harness.clients import Socket, wait_for
from tests.harness.following import Follower
from tests.harness.lone import KEY, LoneSidecar
from tests.harness.redis_cluster import MASTERS, RedisCluster
from tests.harness.sidecar import UNSAID, signed
from wsgi_app.notes import store as notes
from wsgi_app.settings import Settings

SIDECARS = 3


@pytest.fixture(scope="module")
def cluster() -> Iterator[RedisCluster]:
    with RedisCluster() as made:
        yield made


@pytest.fixture(scope="module")
def sidecars(cluster: RedisCluster) -> Iterator[list[LoneSidecar]]:
    with ExitStack() as stack:
        # Each knows one server at first.
        yield [
            stack.enter_context(
                LoneSidecar(
                    cluster, REDIS_URL=f"redis+cluster://127.0.0.1:{node.port}", PUBLIC_TOPICS="board:*"
                )
            )
            for _, node in zip(range(SIDECARS), cluster.nodes * SIDECARS, strict=False)
        ]


@pytest.fixture(autouse=True)
def configured(cluster: RedisCluster, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """This process publishes there. A call returns when a replica has what it wrote."""
    monkeypatch.setenv("CORKBOARD_ENV_FILE", str(cluster.app_env))
    monkeypatch.setenv("CORKBOARD_WAIT_REPLICAS", "1")
    yield
    use(None)


def spread(cluster: RedisCluster, name: str, each: int = 2) -> list[str]:
    """Topics of which every master has some."""
    found: dict[int, list[str]] = {}
    number = 0
    while len(found) < MASTERS or min(map(len, found.values())) < each:
        number += 1
        topic = f"board:{name}-{number}"
        some = found.setdefault(cluster.master_of(f"topic:{{{topic}}}").port, [])
        if len(some) < each:
            some.append(topic)
    return [topic for some in found.values() for topic in some]


class Writer(threading.Thread):
    """Publishes on one topic, each event with a key, and again with the same key until it is acknowledged."""

    def __init__(self, topic: str) -> None:
        super().__init__(daemon=True)
        self.topic = topic
        self.ids: list[str] = []  # by what they say
        self.refusals: list[StoreUnavailable] = []
        self._ending = threading.Event()

    def run(self) -> None:
        while not self._ending.wait(0.02):
            self.publish(len(self.ids))

    def publish(self, number: int) -> None:
        while True:
            try:
                id_ = corkboard.publish(self.topic, "x", number, key=f"key {number}")
            except StoreUnavailable as error:
                self.refusals.append(error)
            else:
                self.ids[number:] = [id_]
                return

    def progress(self, count: int = 5) -> None:
        """Returns when some more were acknowledged."""
        before = len(self.ids)
        wait_for(lambda: len(self.ids) >= before + count, f"events of {self.topic}")

    def __enter__(self) -> Writer:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ending.set()
        self.join(30)


def compare(writers: list[Writer], followers: list[Follower]) -> dict[str, int]:
    """What is not as it should be, counted, and how often clients were told that they have to fetch again."""
    topics = [writer.topic for writer in writers]
    ends = dict(zip(topics, positions(topics), strict=True))
    for follower in followers:
        for topic, end in ends.items():
            wait_for(lambda f=follower, t=topic, e=end: position(f, t) == e, f"{topic} at {end}")  # type: ignore[misc]
    found = dict.fromkeys(("lost", "doubled", "missed", "divergent", "told"), 0)
    meanings: dict[str, object] = {}
    for follower in followers:
        at = dict.fromkeys(topics, ("0", 0))
        said: set[tuple[str, object]] = set()
        for item in follower.items:
            epoch, _, offset = (item.id if isinstance(item, Event) else item.cursor).rpartition("-")
            before, at[item.topic] = at[item.topic], (epoch, int(offset))
            if isinstance(item, Lost):
                found["told"] += 1
                continue
            found["missed"] += before[0] not in ("0", epoch) or int(offset) != before[1] + 1
            found["divergent"] += meanings.setdefault(item.topic + item.id, item.data) != item.data
            found["doubled"] += (item.topic, item.data) in said
            said.add((item.topic, item.data))
    for writer in writers:
        for number, id_ in enumerate(list(writer.ids)):
            # What is stored is ignored when it comes again, and has the id that it had.
            found["lost"] += corkboard.publish(writer.topic, "x", number, key=f"key {number}") != id_
    return found


def position(follower: Follower, topic: str) -> str:
    item = next((item for item in reversed(follower.items) if item.topic == topic), None)
    return "0-0" if item is None else item.id if isinstance(item, Event) else item.cursor


def test_nothing_is_lost_doubled_or_mistaken_while_a_slot_moves_and_when_a_master_dies(
    cluster: RedisCluster, sidecars: list[LoneSidecar]
) -> None:
    topics = spread(cluster, "live")
    key = f"topic:{{{topics[0]}}}"
    with ExitStack() as stack:
        followers = [stack.enter_context(Follower("async", each.base_url, topics)) for each in sidecars]
        writers = [Writer(topic) for topic in topics]
        with ExitStack() as writing:
            for writer in writers:
                writing.enter_context(writer)
                writer.progress()
            # All servers are there from here on, and nobody has to fetch anything again.
            assert not [item for follower in followers for item in follower.items if isinstance(item, Lost)]

            target = cluster.master_of(f"topic:{{{topics[-1]}}}")
            origin = cluster.begin_move(key, target)
            while keys := cluster.keys_of_slot(origin, key):
                writers[-1].progress(3)  # half of the topic's keys are there
                cluster.move_keys(origin, target, keys[:1])
            cluster.end_move(key, origin, target)
            writers[0].progress()
            for follower in followers:
                # Within two ticks and a bit, however busy the machine is.
                wait_for(lambda f=follower: position(f, topics[0]) >= writers[0].ids[-2], "the moved topic")  # type: ignore[misc]
            # A new history begins where a slot has gone, and for nobody else.
            told = {item.topic for f in followers for item in f.items if isinstance(item, Lost)}
            assert topics[0] in told
            assert not [each for w in writers for each in w.refusals if isinstance(each, Unconfirmed)]
            assert told <= {topic for topic in topics if cluster.master_of(f"topic:{{{topic}}}") is target}

            # That of presence, which the last test counts on.
            dying = cluster.master_of(PROCESSES)
            dying.kill()
            wait_for(lambda: cluster.master_of(PROCESSES) is not dying, "a successor")
            dying.start()
            for writer in writers:
                writer.progress()
        found = compare(writers, followers)
        print(
            found,
            sum(len(w.ids) for w in writers),
            "acknowledged",
            sum(len(w.refusals) for w in writers),
            "refused",
        )
        told = found.pop("told")
        assert found == {"lost": 0, "doubled": 0, "missed": 0, "divergent": 0}
        # Each topic that changed its master has a new epoch.
        assert told > 0


def test_a_master_that_gets_a_slot_back_does_not_go_on_with_the_history_it_had(cluster: RedisCluster) -> None:
    # What another one wrote there meanwhile may have died with it.
    one, *_, other = spread(cluster, "back")
    key = f"topic:{{{one}}}"
    id_ = corkboard.publish(one, "x")
    home, away = cluster.master_of(key), cluster.master_of(f"topic:{{{other}}}")
    for origin, target in ((home, away), (away, home)):
        cluster.begin_move(key, target)
        cluster.move_keys(origin, target, cluster.keys_of_slot(origin, key))
        cluster.end_move(key, origin, target)
    assert corkboard.publish(one, "x").partition("-")[0] != id_.partition("-")[0]


def test_what_goes_beyond_one_topic_reaches_all(cluster: RedisCluster, sidecars: list[LoneSidecar]) -> None:
    topics = spread(cluster, "all")
    token = signed(KEY, ["board:*"], sub="somebody")
    with ExitStack() as stack:
        one, two = (stack.enter_context(Socket(each, topic=topics[0], ticket=token)) for each in sidecars[:2])  # type: ignore[arg-type]
        followers = [stack.enter_context(Follower("async", each.base_url, topics)) for each in sidecars]
        # A batch for all masters; one of them does not have the functions yet.
        cluster.master_of(f"topic:{{{topics[-1]}}}").client().function_flush()
        ids = corkboard.publish_many([(topic, "x") for topic in topics] * 2)
        for follower in followers:
            wait_for(lambda f=follower: len(f.items) == len(ids), "all events")  # type: ignore[misc]
            assert sorted(follower.ids()) == sorted(ids)
        # A message that never came is found by looking.
        name = topics[2]
        event = json.dumps(
            {"op": "event", "topic": name, "id": "", "type": "x", "time": "", "request_id": "", "data": 3}
        )
        epoch = positions([name])[0].partition("-")[0]
        node = cluster.master_of(f"topic:{{{name}}}").client()
        unsaid = event.replace('"id": ""', f'"id":"{epoch}-3"')
        node.eval(UNSAID, 2, f"stream:{{{name}}}", f"topic:{{{name}}}", 3, unsaid)
        for follower in followers:
            wait_for(lambda f=follower: f.ids()[-1] == f"{epoch}-3", "the event that nobody was told of")  # type: ignore[misc]
        # Sockets of all processes count, clients whisper, and a ticket is revoked everywhere.
        wait_for(lambda: one.expect("presence")["count"] == SIDECARS + 2, "all listeners")
        one.send({"op": "whisper", "topic": topics[0], "data": "hello"})
        assert two.expect("whisper")["data"] == "hello"
        corkboard.revoke("somebody")
        for socket in (one, two):
            with pytest.raises(Exception, match="4403"):
                socket.expect("never")


def test_an_address_that_does_not_say_that_it_is_a_cluster_is_named(
    cluster: RedisCluster, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="CORKBOARD_URL is invalid: expected one Redis"):
        notes.check(Settings(session_key="s" * 32))  # type: ignore[arg-type]
    password = (cluster.folder / "app" / "redis_password").read_text()
    monkeypatch.setenv("CORKBOARD_URL", f"redis://app:{password}@127.0.0.1:{cluster.nodes[0].port}/0")
    with pytest.raises(SystemExit, match="CORKBOARD_URL names one server of a Redis Cluster"):
        notes.check(Settings(session_key="s" * 32))  # type: ignore[arg-type]
    with pytest.raises(NotConfigured, match="redis\\+cluster://"):
        corkboard.publish_many([(topic, "x") for topic in spread(cluster, "none")])
    sidecar = LoneSidecar(cluster, port=cluster.nodes[0].port)
    sidecar.start()
    try:
        line = "REDIS_URL names one server of a Redis Cluster"
        wait_for(lambda: line in "".join(capfd.readouterr()), "a line")
    finally:
        sidecar.__exit__()
