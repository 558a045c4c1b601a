"""The stack on three machines, of which one is killed at a time. `make test` leaves it to `make test-swarm`.

Its figures are printed: a line for each fault.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import httpx
import pytest

from prove.traffic import Load, Traffic
from prove.verdict import Verdict
from tests.harness.api import create
from tests.harness.clients import Socket, http, wait_for
from tests.harness.compose import engine_missing
from tests.harness.swarm import Swarm

LOAD = Load(sockets=60, streams=2, polls=2, keyed=10, plain=4, reads=6)
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
    """By way of the first machine, which stays."""
    with Traffic(swarm.machines[0].base_url, LOAD) as traffic:
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
    nodes = {"node1", "node2", "node3"}
    assert {service: set(swarm.where(service)) for service in ("nginx", "wsgi", "asgi", "redis")} == {
        **dict.fromkeys(("nginx", "wsgi", "asgi"), nodes),
        "redis": {"node3"},
    }
    for poster in swarm.machines:
        with ExitStack() as open_ones:
            sockets = [open_ones.enter_context(Socket(each, topic="board:main")) for each in swarm.machines]  # type: ignore[arg-type]
            for socket in sockets:
                socket.expect("subscribed")
            with http(poster) as client:  # type: ignore[arg-type]
                note = create(client, "main", f"from {poster.name}")
            assert {socket.expect("event")["data"]["id"] for socket in sockets} == {note["id"]}


def test_an_update_of_the_apps_fails_no_request(swarm: Swarm, traffic: Traffic) -> None:
    for service in ("wsgi", "asgi"):
        verdict = under(traffic, lambda name=service: swarm.update(name, "--force"), f"update of {service}")  # type: ignore[misc]
        assert not verdict.failed
        assert not verdict.refused


def test_an_update_that_does_not_start_is_taken_back_and_nobody_notices(
    swarm: Swarm, traffic: Traffic
) -> None:
    bad = "--args=false"
    verdict = under(traffic, lambda: swarm.update("wsgi", bad, check=False), "a bad update of wsgi")
    assert not verdict.failed
    state = "{{.UpdateStatus.State}}"
    shown = swarm.manager.docker("service", "inspect", f"--format={state}", f"{swarm.name}_wsgi")
    assert shown.strip() == "rollback_completed"


def test_a_machine_without_redis_is_killed_and_everybody_is_back_soon(swarm: Swarm, traffic: Traffic) -> None:
    verdict = under(traffic, swarm.machines[1].kill, "kill of a machine")
    swarm.machines[1].start()
    swarm.settle()
    assert verdict.back_after is not None
    assert verdict.back_after <= BACK_SECONDS


def test_writes_are_refused_while_the_machine_of_redis_is_away_and_it_comes_back_with_what_it_had(
    swarm: Swarm, traffic: Traffic
) -> None:
    machine = swarm.machines[2]

    def kill_and_start() -> None:
        machine.kill()
        with httpx.Client(base_url=traffic.base_url, trust_env=False, timeout=10) as client:
            body = {"text": "too early", "board": "away"}
            wait_for(lambda: client.post("/api/notes", json=body).status_code == 503, "a refusal")
            machine.start()
            wait_for(lambda: client.get("/readyz").status_code == 200, "Redis", 120)

    verdict = under(traffic, kill_and_start, "kill of the machine of Redis")
    assert any("503" in how for how in verdict.failed), verdict.failed
    swarm.settle()
