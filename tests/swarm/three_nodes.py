"""The stack on three machines, of which one is killed at a time. `make test` leaves it to `make test-swarm`.

Its figures are printed: a line for each fault.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial

import pytest

from prove.traffic import Load, Traffic
from prove.verdict import Verdict
from tests.harness.api import create
from tests.harness.clients import Socket, http, wait_for
from tests.harness.compose import engine_missing
from tests.harness.swarm import Swarm

NODES = {"node1", "node2", "node3"}
LOAD = Load(sockets=150, streams=3, polls=3, keyed=15, plain=5, reads=10)
BACK_SECONDS = 15.0
pytestmark = [pytest.mark.compose, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def swarm() -> Iterator[Swarm]:
    if reason := engine_missing():
        pytest.skip(reason)
    with Swarm({"ASGI_REPLICAS": "3", "WSGI_REPLICAS": "3"}) as swarm:
        yield swarm


@pytest.fixture(scope="module")
def traffic(swarm: Swarm) -> Iterator[Traffic]:
    """By way of the second machine, which stays."""
    with Traffic(swarm.machines[1].base_url, LOAD) as traffic:
        yield traffic


def under(traffic: Traffic, doing: Callable[[], object], what: str) -> Verdict:
    """What people noticed of it; nothing is lost, doubled or missed."""
    assert traffic.steady()
    traffic.begin()
    doing()
    assert traffic.calm(), what
    verdict = traffic.check()
    print(f"\n{what}: {verdict}")
    assert verdict.holds
    return verdict


def test_a_note_posted_at_one_machine_reaches_sockets_at_all_and_tasks_are_on_all(swarm: Swarm) -> None:
    for service in ("nginx", "wsgi", "asgi"):
        assert set(swarm.where(service)) == NODES
    assert swarm.where("redis") == ["node3"]
    for poster in swarm.machines:
        with ExitStack() as open_ones:
            sockets = [open_ones.enter_context(Socket(each, topic="board:main")) for each in swarm.machines]
            for socket in sockets:
                socket.expect("subscribed")
            with http(poster) as client:
                note = create(client, "main", f"from {poster.name}")
            assert {socket.expect("event")["data"]["id"] for socket in sockets} == {note["id"]}


def test_the_leader_of_the_swarm_is_killed_and_everybody_is_back_soon(swarm: Swarm, traffic: Traffic) -> None:
    leader = swarm.machines[0]
    assert leader.docker("node", "inspect", "self", "--format={{.ManagerStatus.Leader}}").strip() == "true"
    verdict = under(traffic, leader.kill, "the first machine is killed")
    leader.start()
    swarm.settle()
    assert verdict.back_after is not None
    assert verdict.back_after <= BACK_SECONDS


def test_an_update_of_the_apps_fails_no_request(swarm: Swarm, traffic: Traffic) -> None:
    for service in ("wsgi", "asgi"):
        for doing, what in (
            (partial(swarm.update, service, "--force"), f"update of {service}"),
            (partial(swarm.spread, service), f"{service} is spread over all machines"),
        ):
            verdict = under(traffic, doing, what)
            assert not verdict.failed
            assert not verdict.refused
        assert set(swarm.where(service)) == NODES


def test_an_update_that_does_not_start_is_taken_back_and_nobody_notices(
    swarm: Swarm, traffic: Traffic
) -> None:
    bad = partial(swarm.update, "wsgi", "--args=false", check=False)
    verdict = under(traffic, bad, "update of wsgi that does not start")
    assert not verdict.failed
    shown = swarm.manager.docker(
        "service", "inspect", "--format={{.UpdateStatus.State}}", f"{swarm.name}_wsgi"
    )
    assert shown.strip() == "rollback_completed"


def test_an_update_of_nginx_loses_nothing(swarm: Swarm, traffic: Traffic) -> None:
    under(traffic, partial(swarm.update, "nginx", "--force"), "update of nginx")


def test_writes_are_refused_while_the_machine_of_redis_is_away_and_it_comes_back_with_what_it_had(
    swarm: Swarm, traffic: Traffic
) -> None:
    machine = swarm.machines[2]

    def kill_and_start() -> None:
        machine.kill()
        with http(swarm.machines[1]) as client:
            body = {"text": "too early", "board": "away"}
            wait_for(lambda: client.post("/api/notes", json=body).status_code == 503, "a refusal")
            machine.start()
            wait_for(lambda: client.get("/readyz").status_code == 200, "Redis", 120)

    verdict = under(traffic, kill_and_start, "the machine of Redis is killed, and started again")
    assert any("503" in how for how in verdict.failed), verdict.failed
