"""The browser's client, module by module, in Node and in a time of its own."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.harness.node import NODE

FILES = sorted(Path(__file__).with_name("client").glob("*.test.js"))


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_all_promises_of_a_file_hold(file: Path) -> None:
    command = [NODE, "--test", "--test-reporter=spec", str(file)]
    result = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert result.returncode == 0, result.stdout + result.stderr
    assert "tests 0" not in result.stdout
