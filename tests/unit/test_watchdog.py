"""A process whose loop stands still is worse than none: clients are sent to it, and nobody answers."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import psutil
import pytest

from tests.harness.clients import wait_for

# A second is too long, or three for a process that computes.
PROGRAM = """
import asyncio, os, sys, time
from asgi_app import limits
from asgi_app.server import guardian

limits.STUCK_SECONDS, limits.STUCK_BUSY_SECONDS, limits.STUCK_STEP_SECONDS = 1, 3, 0.1
guardian.start()
from asgi_app.server import watchdog
limits.LAG_SECONDS = 0.05

def a_call_that_never_returns():
    time.sleep(120)

def a_calculation_that_never_ends():
    while True:
        pass

def a_calculation_of_a_moment():
    end = time.monotonic() + 1.5
    while time.monotonic() < end:
        pass

def nothing():
    pass

async def main():
    pulse = asyncio.create_task(watchdog.watch())
    await asyncio.sleep(0.2)
    print("beats", flush=True)
    globals()[sys.argv[1]]()
    await asyncio.sleep(float(sys.argv[2]))
    pulse.cancel()
    await asyncio.gather(pulse, return_exceptions=True)

time.sleep(float(sys.argv[3]))  # as the imports on a slow machine
asyncio.run(main())
time.sleep(float(sys.argv[3]))
"""


@contextmanager
def process(doing: str, seconds: float = 0, slow: float = 0) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM, doing, str(seconds), str(slow)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as started:
        try:
            assert started.stdout
            assert started.stdout.readline() == "beats\n"
            yield started
        finally:
            started.kill()


@pytest.mark.parametrize("doing", ["a_call_that_never_returns", "a_calculation_that_never_ends"])
def test_a_loop_that_stands_still_ends_the_process_and_says_where(doing: str) -> None:
    with process(doing) as started:
        _, said = started.communicate(timeout=60)
    assert started.returncode == -signal.SIGKILL
    first, rest = said.split("\n", 1)
    assert json.loads(first)["message"].startswith("the event loop stands still")
    assert f"in {doing}" in rest


def test_a_process_that_was_stopped_from_outside_is_ended() -> None:
    with process("nothing", 60) as started:
        started.send_signal(signal.SIGSTOP)
        _, said = started.communicate(timeout=60)
    assert started.returncode == -signal.SIGKILL
    assert "(state T)" in said or sys.platform != "linux"


def test_a_slow_start_a_long_turn_and_a_slow_end_are_left_alone() -> None:
    with process("a_calculation_of_a_moment", slow=1.5) as started:
        _, said = started.communicate(timeout=60)
    assert (started.returncode, said) == (0, "")


def test_time_in_which_everything_stands_still_does_not_count() -> None:
    """As when a container is paused, or a laptop sleeps."""
    with process("nothing", 0.5) as started:
        (guardian,) = psutil.Process(started.pid).children()
        for one in (guardian, started):
            os.kill(one.pid, signal.SIGSTOP)
        stopped = psutil.Process(started.pid)
        wait_for(lambda: stopped.status() == guardian.status() == psutil.STATUS_STOPPED, "both stopped")
        time.sleep(1.5)  # longer than a loop may stand still
        for one in (guardian, started):  # the guardian first: it must not end the other one at once
            os.kill(one.pid, signal.SIGCONT)
        _, said = started.communicate(timeout=60)
    assert (started.returncode, said) == (0, "")


def test_the_guardian_ends_with_the_process_and_a_process_without_it_goes_on() -> None:
    with process("nothing", 1) as started:
        (guardian,) = psutil.Process(started.pid).children()
        started.kill()
        guardian.wait(timeout=10)
    with process("nothing", 0.5) as started:
        (guardian,) = psutil.Process(started.pid).children()
        guardian.kill()
        _, said = started.communicate(timeout=60)
    assert started.returncode == 0
    assert "the guardian is gone" in said
