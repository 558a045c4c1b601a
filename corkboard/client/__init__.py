"""Listening from Python: every event of some topics once and in order, whatever the network does.

    with listen("https://example.com", {"orders": cursor}) as stream:
        for item in stream:
            print("fetch everything again" if isinstance(item, Lost) else item.data)

`connect` is the same for asyncio. Both need the package `websockets`: pip install 'corkboard[client]'.
"""

from corkboard.client.asyncio import AsyncStream, connect
from corkboard.client.messages import Event, Lost, Refused
from corkboard.client.sync import Stream, listen
from corkboard.client.timing import Timing

__all__ = ["AsyncStream", "Event", "Lost", "Refused", "Stream", "Timing", "connect", "listen"]
