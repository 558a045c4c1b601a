"""The loop's pulse: how late it is, and the end of a process whose loop stands still."""

from __future__ import annotations

import asyncio
import faulthandler

from asgi_app import metrics

TICK_SECONDS = 0.5
# Nobody is served meanwhile, and nginx goes on sending clients here: it sees a listener that accepts.
STUCK_SECONDS = 15.0


async def watch() -> None:
    """Measures the loop's lag until it is cancelled. When it stands still, the process ends with status 1.

    What it was doing is written to stderr first, by a thread that does not need the interpreter:
    https://docs.python.org/3/library/faulthandler.html#faulthandler.dump_traceback_later
    Whoever supervises the process starts it anew, and its clients resume elsewhere meanwhile.
    """
    loop = asyncio.get_running_loop()
    try:
        while True:
            faulthandler.dump_traceback_later(STUCK_SECONDS, exit=True)
            due = loop.time() + TICK_SECONDS
            await asyncio.sleep(TICK_SECONDS)
            metrics.loop_lag.observe(max(0.0, loop.time() - due))
    finally:
        faulthandler.cancel_dump_traceback_later()
