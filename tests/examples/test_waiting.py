"""Steps 1 and 2: where a request waits decides how many can."""

from __future__ import annotations

import asyncio
import re
import subprocess

import pytest

from examples.clock import at_once, listeners
from examples.step1_wsgi_blocks import WAIT_SECONDS
from local.settings import ROOT
from tests.harness.clients import wait_for
from tests.harness.examples import STEPS, commands, environment, serving, serving_with
from tests.harness.local import free_port


def clock(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = ["python", "-m", "examples.clock", *arguments]
    return subprocess.run(
        command, cwd=ROOT, env=environment(), capture_output=True, text=True, timeout=120, check=False
    )


@pytest.mark.parametrize("step", STEPS)
def test_the_first_lines_of_a_step_say_how_to_run_it(step: str) -> None:
    assert f"examples.{step}" in commands(step)[0]


def test_one_thread_serves_one_request_after_the_other() -> None:
    with serving("step1_wsgi_blocks") as server:
        seconds = asyncio.run(at_once(server.url, 5))
    assert len(seconds) == 5
    assert seconds[-1] > 4 * WAIT_SECONDS  # not 5: the first may be served before the last is sent


def test_eight_threads_serve_eight_at_a_time() -> None:
    with serving_with("gunicorn --threads 8 examples.step1_wsgi_blocks:app") as server:
        # Of the best of three: a busy machine may stand still once.
        seconds = min((asyncio.run(at_once(server.url, 16)) for _ in range(3)), key=lambda found: found[-1])
    assert len(seconds) == 16
    assert seconds[8] > 1.5 * WAIT_SECONDS  # the ninth waits for a thread
    assert seconds[-1] < 16 * WAIT_SECONDS


def test_an_event_loop_lets_all_of_them_wait_at_the_same_time() -> None:
    with serving("step2_asgi_waits") as server:
        seconds = min((asyncio.run(at_once(server.url, 40)) for _ in range(3)), key=lambda found: found[-1])
        assert len(seconds) == 40
        assert seconds[0] >= WAIT_SECONDS
        assert seconds[-1] < 40 * WAIT_SECONDS / 2
        said = clock("3", f"{server.url}/")
        numbers = r"3 of 3 answered: first after (\d+\.\d\d) s, median (\d+\.\d\d) s, last (\d+\.\d\d) s\n"
        found = re.fullmatch(numbers, said.stdout)
        assert found, said
        assert WAIT_SECONDS <= float(found[1]) <= float(found[2]) <= float(found[3])


def test_one_blocking_call_stops_the_whole_loop() -> None:
    with serving("step2_asgi_waits") as server:
        seconds = asyncio.run(at_once(f"{server.url}/rude", 5))
    assert seconds[-1] > 4 * WAIT_SECONDS


def test_the_lifespan_begins_before_the_first_request_and_ends_after_the_last() -> None:
    with serving("step2_asgi_waits") as server:
        already = 1  # the question whether it is ready
        asyncio.run(at_once(server.url, 4))
        assert f"answered in this life: {already + 4}" in server.end()


def test_the_clock_says_in_one_line_that_nobody_is_there() -> None:
    said = clock("1", f"http://127.0.0.1:{free_port()}/")
    assert said.returncode == 1
    assert "start a step in another window" in said.stderr
    assert said.stderr.count("\n") == 1


def test_hundreds_listen_to_a_loop_and_nobody_notices() -> None:
    with serving("step5_tasks_raw") as server:

        async def ask_meanwhile() -> list[float]:
            async with listeners(f"{server.url}/tasks/live", 200):
                return await at_once(f"{server.url}/tasks", 1, patience=60)

        assert asyncio.run(ask_meanwhile())
        wait_for(lambda: "0 still watching" in server.output(), "all 200 to be noticed to have left")
