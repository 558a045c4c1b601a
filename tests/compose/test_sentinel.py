"""docker-compose.sentinel.yml: the container of the master is gone, and everybody follows the replica."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest

from tests.harness.api import create, listed
from tests.harness.clients import Socket, http, wait_for
from tests.harness.compose import ComposeStack, engine_missing

MASTER = (
    *("exec", "-T", "sentinel-1", "redis-cli", "-p", "26379"),
    *("sentinel", "get-master-addr-by-name", "corkboard"),
)
STRANGER = ("exec", "-T", "sentinel-1", "redis-cli", "-h", "corkboard-sentinel-2", "-p", "26379")
FILES = "docker-compose.yml:docker-compose.sentinel.yml"


def test_a_failover_loses_nothing_that_was_acknowledged_and_undoes_no_restore(
    tmp_path: Path,
) -> None:
    if reason := engine_missing():
        pytest.skip(reason)
    with ComposeStack({"COMPOSE_FILE": FILES, "WAIT_REPLICAS": "1"}) as stack, http(stack) as client:  # type: ignore[arg-type]
        notes = [wait_for(lambda: _created(client), "the replica", 120)]
        notes += [create(client, "main", f"note {number}") for number in range(20)]
        for order in ("failover corkboard", "set corkboard quorum 1", "remove corkboard"):
            assert "NOPERM" in stack.compose(*STRANGER, "sentinel", *order.split(), check=False)
        stack.backup(tmp_path)
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

        # By now `replica` is the master.
        (file,) = tmp_path.glob("*.rdb")
        result = stack.restore(file, tmp_path, FORCE="yes")
        assert result.returncode == 0, result.stdout + result.stderr
        assert "corkboard-redis" in stack.compose(*MASTER)
        wait_for(lambda: listed(client, "main")[0]["id"] == notes[-1]["id"], "what was restored", 60)
        note = wait_for(lambda: _created(client), "writes", 60)
        # And the replica has the same.
        stack.compose("kill", "--signal=KILL", "redis")
        wait_for(lambda: "corkboard-replica" in stack.compose(*MASTER), "the Sentinels", 60)
        found = wait_for(lambda: listed(client, "main"), "the replica to serve", 60)
        kept = [each["id"] for each in found]
        assert kept[0] == note["id"]
        assert {each["id"] for each in notes} <= set(kept)
        assert last["id"] not in kept
        refused = stack.restore(file, tmp_path, FORCE="yes")
        assert refused.returncode == 1
        assert "Next: `docker compose up --wait`" in refused.stderr


def _created(client: httpx.Client) -> dict[str, str] | None:
    answer = client.post("/api/notes", json={"text": "a note", "board": "main"})
    return answer.json() if answer.status_code == 201 else None
