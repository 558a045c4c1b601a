"""The API is what its description says: thousands of requests, right and wrong ones, made from it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.harness.stack import Stack

HERE = Path(__file__).parent
SECONDS = 25


# The same code answers in containers.
@pytest.mark.parametrize("stack", ["local"], indirect=True)
def test_generated_requests_find_no_server_error_and_nothing_undescribed(
    stack: Stack, tmp_path: Path
) -> None:
    # A second time when it fails. The requests are the same, so a mistake is found again; what a machine that
    # stood still for seconds made of one of them, a 503 or a timeout, is not.
    found = generated(stack, tmp_path)
    if found.returncode:
        found = generated(stack, tmp_path)
    assert found.returncode == 0, found.stdout + found.stderr


def generated(stack: Stack, folder: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "schemathesis.cli", "--config-file", str(HERE / "schemathesis.toml")]
    return subprocess.run(
        [*command, "run", f"{stack.base_url}/api/openapi.json", "--max-time", str(SECONDS)],
        env={**os.environ, "NO_PROXY": "*", "PYTHONPATH": str(HERE.parent.parent)},
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
