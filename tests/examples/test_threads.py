"""Step 8: listening from WSGI works, and each listener holds a thread."""

from __future__ import annotations

import asyncio
import json
import threading
import time

import httpx

from examples.clock import at_once, listeners
from tests.harness.examples import Server, serving

THREADS = 4


def write(server: Server, text: str) -> None:
    assert httpx.post(f"{server.url}/notes", content=text, trust_env=False, timeout=30).status_code == 201


def test_a_stream_and_a_poll_tell_of_a_new_note() -> None:
    with serving("step8_listening_from_wsgi") as server:
        with httpx.stream("GET", f"{server.url}/events", trust_env=False, timeout=30) as stream:
            lines = stream.iter_lines()
            assert next(lines) == ": welcome"
            polled: list[httpx.Response] = []
            poll = threading.Thread(
                target=lambda: polled.append(
                    httpx.get(f"{server.url}/poll?timeout=20", timeout=60, trust_env=False)
                )
            )
            poll.start()
            write(server, "two\nlines")
            told = next(line for line in lines if line.startswith("data: "))
            assert json.loads(told.removeprefix("data: ")) == "two\nlines"
            poll.join(60)
        assert polled[0].json() == {"notes": ["two\nlines"]}
        assert httpx.get(f"{server.url}/poll?since=1&timeout=0", trust_env=False, timeout=30).json() == {
            "notes": []
        }


def test_as_many_listeners_as_threads_take_the_site_down_until_one_leaves() -> None:
    with serving("step8_listening_from_wsgi") as server:
        events = f"{server.url}/events"

        async def story() -> None:
            async with listeners(events, THREADS - 1):
                assert await at_once(server.url, 1, patience=60)
                async with listeners(events, 1):
                    assert not await at_once(server.url, 1, patience=2)
                # The thread notices at its next keep-alive.
                assert await at_once(server.url, 1, patience=60)

        asyncio.run(story())


def test_a_poll_keeps_its_thread_when_its_client_has_left() -> None:
    with serving("step8_listening_from_wsgi", "--threads", "1") as server:

        async def leave() -> float:
            started = time.monotonic()
            async with listeners(f"{server.url}/poll?since=1000&timeout=4", 1):
                pass
            assert await at_once(server.url, 1, patience=60)
            return time.monotonic() - started

        assert asyncio.run(leave()) > 3.5
