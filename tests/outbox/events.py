"""What has arrived in Redis."""

from __future__ import annotations

from typing import Any

from tests.harness.redis_server import RedisServer


def data(redis: RedisServer, topic: str) -> list[Any]:
    """The data of each event of a topic, in order."""
    return [event["data"] for event in redis.events(topic)]
