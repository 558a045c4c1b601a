"""docker-compose.sentinel.yml: the container of the master is gone, and everybody follows the replica."""

from __future__ import annotations

import httpx

from tests.harness.api import create, listed
from tests.harness.clients import Socket, http, wait_for
from tests.harness.compose import ComposeStack

MASTER = (
    *("exec", "-T", "sentinel-1", "redis-cli", "-p", "26379"),
    *("sentinel", "get-master-addr-by-name", "corkboard"),
)
FILES = "docker-compose.yml:docker-compose.sentinel.yml"


def test_what_was_acknowledged_is_on_the_replica_which_takes_the_place_of_a_master_that_is_gone() -> None:
    with ComposeStack({"COMPOSE_FILE": FILES, "WAIT_REPLICAS": "1"}) as stack, http(stack) as client:  # type: ignore[arg-type]
        notes = [wait_for(lambda: _created(client), "the replica", 120)]
        notes += [create(client, "main", f"note {number}") for number in range(20)]
        with Socket(stack, topic="board:main") as live:  # type: ignore[arg-type]
            cursor = live.expect("subscribed")["cursor"]
            stack.compose("kill", "--signal=KILL", "redis")
            assert client.post("/api/notes", json={"text": "too early"}).status_code == 503
            wait_for(lambda: "corkboard-replica" in stack.compose(*MASTER), "the Sentinels", 60)
            # A master without a replica takes no writes, so the old one must come back as one.
            stack.compose("start", "redis")
            last = wait_for(lambda: _created(client), "writes", 180)
            told = live.expect("subscribed", 60)
            assert told["recovered"] is False
            assert told["cursor"].partition("-")[0] != cursor.partition("-")[0]
        kept = [note["id"] for note in listed(client, "main")]
        assert {note["id"] for note in notes} <= set(kept)
        assert kept[0] == last["id"]


def _created(client: httpx.Client) -> dict[str, str] | None:
    answer = client.post("/api/notes", json={"text": "a note", "board": "main"})
    return answer.json() if answer.status_code == 201 else None
