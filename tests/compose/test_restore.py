"""A restore when Redis cannot read what it has any more."""

from __future__ import annotations

import re
import secrets
from pathlib import Path

from tests.harness.api import create, listed
from tests.harness.clients import http, wait_for
from tests.harness.compose import ComposeStack


def test_a_redis_that_cannot_read_its_data_gets_those_of_a_backup_and_its_own_are_kept(
    stack: ComposeStack, tmp_path: Path
) -> None:
    board = f"damaged-{secrets.token_hex(4)}"
    with http(stack) as client:
        note = create(client, board, "in the backup")
        stack.backup(tmp_path)
        (file,) = tmp_path.glob("*.rdb")
        stack.exec(
            "redis", "sh", "-c", "for file in /data/appendonlydir/*.base.*; do echo broken > $file; done"
        )
        stack.compose("restart", "redis")
        wait_for(lambda: "AOF" in stack.logs("redis").rpartition("Server initialized")[2], "it to fail")
        result = stack.restore(file, tmp_path, FORCE="yes")
        assert result.returncode == 0, result.stdout + result.stderr
        kept = re.search(r"/data/replaced-\w+", result.stdout)
        assert kept
        assert "broken" in stack.exec("redis", "sh", "-c", f"cat {kept[0]}/*.base.*")
        stack.exec("redis", "rm", "-r", kept[0])
        wait_for(lambda: client.get("/readyz").status_code == 200, "the app to be ready", 60)
        assert listed(client, board)[0]["id"] == note["id"]
