"""A replica that takes its master's place gives out no number that the master gave out for something else."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from corkboard import position, publish
from corkboard.store import Store, use
from tests.harness.clients import wait_for
from tests.harness.redis_server import RedisServer
from wsgi_app.notes import store as notes
from wsgi_app.notes.models import ListQuery, NewNote


def follow(replica: RedisServer, master: RedisServer) -> None:
    """Makes one server the replica of another, and returns when it has all of it."""
    admin = replica.client()
    admin.config_set("masteruser", "admin")
    admin.config_set("masterauth", (master.folder / "redis" / "admin_password").read_text())
    admin.replicaof("127.0.0.1", master.port)
    wait_for(
        lambda: (
            admin.info("replication")["master_link_status"] == "up"
            and admin.info("replication")["slave_repl_offset"]
            == master.client().info("replication")["master_repl_offset"]
        ),
        "the replica",
    )


def promote(replica: RedisServer) -> None:
    replica.client().replicaof("NO", "ONE")


@pytest.fixture
def servers(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[RedisServer, RedisServer]]:
    """Two of them, of which the second is a replica of the first."""

    with RedisServer() as one, RedisServer() as two:
        monkeypatch.setenv("CORKBOARD_ENV_FILE", str(one.app_env))
        yield one, two


def ids(server: RedisServer, topic: str, count: int, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Publishes so many events on this server."""
    monkeypatch.setenv("CORKBOARD_ENV_FILE", str(server.app_env))
    return [publish(topic, "x", number) for number in range(count)]


def epochs(found: list[str]) -> set[str]:
    return {each.partition("-")[0] for each in found}


def test_no_id_is_given_twice_whoever_becomes_master(
    servers: tuple[RedisServer, RedisServer], topic: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two = servers
    first = ids(one, topic, 3, monkeypatch)
    follow(two, one)
    promote(two)
    lost = ids(one, topic, 3, monkeypatch)
    monkeypatch.setenv("CORKBOARD_ENV_FILE", str(two.app_env))
    assert position(topic) == first[-1]  # as far as it is true of both
    second = ids(two, topic, 3, monkeypatch)
    assert epochs(first) == epochs(lost) != epochs(second)
    assert [int(each.partition("-")[2]) for each in second] == [4, 5, 6]
    assert [event["id"] for event in two.events(topic)] == second
    other = ids(two, f"{topic}:new", 1, monkeypatch)

    # A master that restarts goes on.
    for server, before in ((two, second), (one, lost)):
        server.kill()
        server.start()
        assert epochs(ids(server, topic, 2, monkeypatch)) == epochs(before)

    # The first one comes back as a replica, lacks what was written last, and is promoted. Although it
    # restarts before anybody writes to it, the marks differ: the other one wrote last.
    follow(one, two)
    promote(one)
    gone = ids(two, topic, 2, monkeypatch)
    one.kill()
    one.start()
    one.client().set("fence:{master}", "another")  # as servers say that have a node of their own
    third = ids(one, topic, 3, monkeypatch)
    assert not epochs(third) & epochs([*first, *second])
    assert len({*first, *lost, *second, *gone, *third, *other}) == 3 + 3 + 3 + 2 + 3 + 1
    # Also back and forth, with nothing written in between.
    follow(two, one)
    promote(two)
    follow(one, two)
    promote(one)
    assert epochs(ids(one, topic, 1, monkeypatch)) != epochs(third)


def test_no_etag_of_the_lost_history_fits_again(
    servers: tuple[RedisServer, RedisServer], monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two = servers
    room = {"max_notes": 100, "max_boards": 100}
    stores = []
    for server in servers:
        monkeypatch.setenv("CORKBOARD_ENV_FILE", str(server.app_env))
        url = (
            f"redis://app:{(server.folder / 'app' / 'redis_password').read_text()}@127.0.0.1:{server.port}/0"
        )
        stores.append(Store(url, functions=notes.FUNCTIONS))
    try:
        use(stores[0])
        note_id = id_of(notes.create(NewNote(text="one"), **room))
        follow(two, one)
        promote(two)
        lost = [notes.update(note_id, {"text": f"lost {number}"}) for number in range(3)]
        listed = notes.page(ListQuery()).cursor
        use(stores[1])
        kept = [notes.update(note_id, {"text": f"kept {number}"}) for number in range(3)]
        assert not versions(lost) & versions(kept)
        assert len(versions(kept)) == 3
        assert notes.page(ListQuery()).cursor != listed
        new = notes.create(NewNote(text="new"), **room)
        again = notes.update(id_of(new), {"done": True})
        assert (versions([new]), versions([again])) == ({1}, {2})
    finally:
        use(None)


def versions(found: list[bytes]) -> set[int]:
    return {json.loads(each)["version"] for each in found}


def id_of(note: bytes) -> str:
    return str(json.loads(note)["id"])
