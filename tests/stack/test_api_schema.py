"""The API is what its description says: thousands of requests, right and wrong ones, made from it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.harness.stack import Stack

HERE = Path(__file__).parent
SECONDS = 25


def test_generated_requests_find_no_server_error_and_nothing_undescribed(
    stack: Stack, tmp_path: Path
) -> None:
    command = [sys.executable, "-m", "schemathesis.cli", "--config-file", str(HERE / "schemathesis.toml")]
    found = subprocess.run(
        [*command, "run", f"{stack.base_url}/api/openapi.json", "--max-time", str(SECONDS)],
        env={**os.environ, "NO_PROXY": "*", "PYTHONPATH": str(HERE.parent.parent)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert found.returncode == 0, found.stdout + found.stderr
