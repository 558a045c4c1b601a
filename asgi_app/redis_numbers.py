"""The few numbers of Redis that say whether events can go on: read from INFO whenever Prometheus asks."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable
from typing import Any, NamedTuple

from prometheus_client.core import REGISTRY, CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from redis.asyncio import Redis
from redis.exceptions import NoPermissionError, RedisError

from asgi_app import limits
from asgi_app.topics import store

log = logging.getLogger(__name__)


class Number(NamedTuple):
    """One of them. A counter's name ends with `_total`."""

    name: str
    help: str
    field: str  # of INFO


# https://redis.io/docs/latest/commands/info/
NUMBERS = [
    Number("corkboard_redis_up_seconds", "Since Redis was started", "uptime_in_seconds"),
    Number("corkboard_redis_memory_bytes", "Memory that Redis uses", "used_memory"),
    Number("corkboard_redis_memory_limit_bytes", "Memory that Redis may use; 0: any", "maxmemory"),
    Number("corkboard_redis_clients", "Connections to Redis", "connected_clients"),
    Number("corkboard_redis_log_bytes", "The append-only file", "aof_current_size"),
    Number("corkboard_redis_log_ok", "1 while Redis can write to its disk", "aof_last_write_status"),
    Number("corkboard_redis_commands_total", "Commands that Redis has run", "total_commands_processed"),
    Number(
        "corkboard_redis_clients_cut_total",
        "Clients that Redis cut, because they did not read",
        "client_output_buffer_limit_disconnections",
    ),
]


FILLED = "corkboard_redis_filled_ratio"


class Numbers(Collector):
    """What Redis said last; nothing while it is away."""

    def __init__(self) -> None:
        self.said: dict[str, Any] = {}
        self._is_refused = False

    def collect(self) -> Iterable[Metric]:
        """The numbers that Redis, or what stands in for it, knows."""
        for number in NUMBERS:
            if (value := self.said.get(number.field)) is not None:
                kind = CounterMetricFamily if number.name.endswith("_total") else GaugeMetricFamily
                yield kind(number.name, number.help, value=value == "ok" if isinstance(value, str) else value)
        if (filled := self.filled()) is not None:
            yield GaugeMetricFamily(FILLED, "Share of its memory that Redis uses for data", value=filled)

    def filled(self) -> float | None:
        """The share of `maxmemory` that is used, as the functions in corkboard/functions.lua count it.

        None when there is no such limit, or Redis has not said.
        """
        limit = self.said.get("maxmemory")
        if not limit:
            return None
        return float((self.said["used_memory"] - self.said.get("mem_not_counted_for_evict", 0)) / limit)

    async def refresh(self, redis: Redis, seconds: float = limits.ANSWER_SECONDS) -> None:
        """Asks Redis. What it said before is forgotten, so that nobody takes it for the present."""
        self.said = {}
        try:
            async with asyncio.timeout(seconds):
                self.said = await store.about(redis)
        except NoPermissionError:
            if not self._is_refused:
                log.warning("Redis does not tell this user about itself: it needs this version's users.acl")
            self._is_refused = True
        except (RedisError, OSError, TimeoutError) as error:
            log.debug("no numbers of Redis: %s", error)


_numbers = Numbers()
REGISTRY.register(_numbers)
refresh = _numbers.refresh
filled = _numbers.filled
