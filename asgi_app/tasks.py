"""Background work: how it ends, and how it leaves the event loop to others."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine, Iterable
from typing import Any, TypeVar

AGAIN_SECONDS = 0.1

Item = TypeVar("Item")


async def in_turns(items: Iterable[Item], each: int, pause: float = 0) -> AsyncIterator[Item]:
    """The items; after `each` of them the event loop is left to others, for `pause` seconds at least."""
    for number, item in enumerate(items, 1):
        yield item
        if number % each == 0:
            await asyncio.sleep(pause)


async def until_one_ends(*jobs: Coroutine[Any, Any, None]) -> None:
    """Runs jobs until the first one ends, and then ends the others. Raises what that one raised."""
    running = [asyncio.create_task(job) for job in jobs]
    try:
        done, _ = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
    finally:
        await end(running)
    for job in done:
        job.result()


async def end(tasks: Iterable[asyncio.Task[None]]) -> None:
    """Cancels tasks until they have ended; what they raise is dropped.

    Once may not be enough: before Python 3.12 `asyncio.wait_for`, which redis-py uses for every command,
    could swallow a cancellation.
    """
    tasks = tuple(tasks)
    pending = {task for task in tasks if not task.done()}
    while pending:
        for task in pending:
            task.cancel()
        _, pending = await asyncio.wait(pending, timeout=AGAIN_SECONDS)
    await asyncio.gather(*tasks, return_exceptions=True)
