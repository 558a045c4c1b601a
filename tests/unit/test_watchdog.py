"""A process whose loop stands still is worse than none: clients are sent to it, and nobody answers."""

from __future__ import annotations

import subprocess
import sys

BLOCKED = """
import asyncio, time
from asgi_app import limits
from asgi_app.server import watchdog

limits.STUCK_SECONDS = 1

def a_call_that_never_returns():
    time.sleep(120)

async def main():
    pulse = asyncio.create_task(watchdog.watch())
    await asyncio.sleep(0.1)
    a_call_that_never_returns()

asyncio.run(main())
"""
ALIVE = """
import asyncio
from asgi_app import limits
from asgi_app.server import watchdog

limits.STUCK_SECONDS, limits.LAG_SECONDS = 4, 0.05

async def main():
    pulse = asyncio.create_task(watchdog.watch())
    await asyncio.sleep(5)
    pulse.cancel()
    await asyncio.gather(pulse, return_exceptions=True)

asyncio.run(main())
import time
time.sleep(5)
"""


def run(program: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)


def test_a_loop_that_stands_still_ends_the_process_and_says_where() -> None:
    ended = run(BLOCKED)
    assert ended.returncode == 1
    assert "in a_call_that_never_returns" in ended.stderr


def test_a_loop_that_goes_on_and_one_that_has_ended_are_left_alone() -> None:
    ended = run(ALIVE)
    assert (ended.returncode, ended.stderr) == (0, "")
