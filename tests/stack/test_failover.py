"""Redis' master dies, and a replica that may lack its last events takes its place. Nothing is simulated."""

from __future__ import annotations

import json

import pytest
from redis.exceptions import NoPermissionError

from corkboard import publish
from corkboard.store import Unconfirmed, use
from prove.failover import prove, summary
from prove.replicas import NAME, Group
from redis import Redis
from tests.harness.clients import Socket
from tests.harness.lone import LoneSidecar
from tests.harness.redis_server import RedisServer


@pytest.fixture(autouse=True)
def nothing_left(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the rounds set for the kit goes with the test."""
    monkeypatch.setenv("CORKBOARD_ENV_FILE", "")


@pytest.mark.parametrize("wait_replicas", [0, 1])
def test_no_event_gets_the_id_of_another_and_clients_show_what_is_stored(
    wait_replicas: int,
) -> None:
    tally = prove(2, wait_replicas, quick=True)
    assert tally.deliveries > 100, summary(tally)
    assert (tally.divergent, tally.wrong) == (0, []), summary(tally)
    if wait_replicas:
        assert (tally.lost, tally.doubled) == (0, 0), summary(tally)


def test_a_write_that_no_replica_has_is_unknown_and_its_repeat_is_not_taken_for_confirmed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with Group(wait_replicas=1) as group:
        monkeypatch.setenv("CORKBOARD_ENV_FILE", str(group.app_env))
        publish("t", "x", 1, key="first")
        replica = group.other(group.master())
        replica.freeze()
        try:
            with pytest.raises(Unconfirmed, match="0 of 1"):
                publish("t", "x", 2, key="second")
            use(None)  # by a new connection, on which nothing was written
            with pytest.raises(Unconfirmed):
                publish("t", "x", 2, key="second")
        finally:
            replica.thaw()
        group.settle()
        # Whoever reaches a Sentinel may ask it, and not more.
        host, port = group.sentinels.partition(",")[0].split(":")
        with Redis(host=host, port=int(port), socket_timeout=5) as stranger:
            orders = ("FAILOVER x", "SET x quorum 1", "MONITOR y 127.0.0.1 1 1", "REMOVE x", "RESET x")
            hello = "PUBLISH __sentinel__:hello 127.0.0.1,1,x,9,x,127.0.0.1,1,9"
            for order in (*(f"SENTINEL {each}" for each in orders), hello, "SHUTDOWN", "ACL LIST"):
                with pytest.raises(NoPermissionError):
                    stranger.execute_command(*order.replace("x", NAME).split())
        assert publish("t", "x", 2, key="second").endswith("-2")
        assert publish("t", "x", 3).endswith("-3")


def test_a_history_that_was_exchanged_under_the_same_epoch_is_noticed_by_the_sidecar(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with RedisServer() as server, LoneSidecar(server) as sidecar:
        monkeypatch.setenv("CORKBOARD_ENV_FILE", str(server.app_env))
        with Socket(sidecar, topic="board:t") as same, Socket(sidecar, topic="board:u") as other:  # type: ignore[arg-type]
            for socket in (same, other):
                socket.expect("subscribed")
            for topic in ("board:t", "board:u"):
                publish(topic, "x", 1)
            same.expect("event")
            two = other.expect("event")
            # As a server that no function of ours has promoted.
            with server.client() as admin:
                lost = json.dumps({**two, "data": 2})
                admin.delete("stream:{board:u}")
                admin.xadd("stream:{board:u}", {"event": lost}, "1-0")
                admin.execute_command("CLIENT", "KILL", "TYPE", "pubsub")
            told = other.expect("subscribed")
            assert (told["recovered"], told["cursor"]) == (False, two["id"])
            publish("board:t", "x", 3)
            following = next(m for m in iter(same.receive, None) if m["op"] != "presence")
            assert (following["op"], following["data"]) == ("event", 3)
