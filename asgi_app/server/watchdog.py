"""The loop's pulse: how late it is, and the beats that keep the guardian quiet."""

from __future__ import annotations

import asyncio

from asgi_app import limits, metrics
from asgi_app.server import guardian


async def watch() -> None:
    """Measures the loop's lag until it is cancelled. When it stands still, the guardian ends the process."""
    loop = asyncio.get_running_loop()
    try:
        while True:
            guardian.beat()
            due = loop.time() + limits.LAG_SECONDS
            await asyncio.sleep(limits.LAG_SECONDS)
            metrics.loop_lag.observe(max(0.0, loop.time() - due))
    finally:
        guardian.stop()
