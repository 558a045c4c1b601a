"""The loop's pulse: how late it is, and the end of a process whose loop stands still."""

from __future__ import annotations

import asyncio
import faulthandler

from asgi_app import limits, metrics


async def watch() -> None:
    """Measures the loop's lag until it is cancelled. When it stands still, the process ends with status 1.

    Otherwise nginx would go on sending clients here: the kernel still accepts them. What the process was
    doing is written to stderr first, by a thread that does not need the interpreter. The supervisor starts
    the process anew, and its clients resume elsewhere meanwhile.
    https://docs.python.org/3/library/faulthandler.html#faulthandler.dump_traceback_later
    """
    loop = asyncio.get_running_loop()
    try:
        while True:
            faulthandler.dump_traceback_later(limits.STUCK_SECONDS, exit=True)
            due = loop.time() + limits.LAG_SECONDS
            await asyncio.sleep(limits.LAG_SECONDS)
            metrics.loop_lag.observe(max(0.0, loop.time() - due))
    finally:
        faulthandler.cancel_dump_traceback_later()
