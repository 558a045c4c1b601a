"""What has arrived in Redis."""

from __future__ import annotations

import json
from typing import Any

from tests.harness.servers import RedisServer


def events(redis: RedisServer, topic: str) -> list[tuple[str, Any]]:
    """Type and data of each event of a topic, in order."""
    stream: list[tuple[str, dict[str, str]]] = redis.client.xrange(f"stream:{{{topic}}}")
    found = [json.loads(fields["event"]) for _, fields in stream]
    return [(event["type"], event["data"]) for event in found]


def data(redis: RedisServer, topic: str) -> list[Any]:
    """The data of each."""
    return [each for _, each in events(redis, topic)]
