"""What a process counts and measures, for Prometheus; asgi_app/health.py answers it at `/metrics`."""

from __future__ import annotations

import time
from collections.abc import Iterable
from datetime import UTC, datetime

from prometheus_client import Counter, Gauge, Histogram
from prometheus_client.core import REGISTRY, CounterMetricFamily, Metric
from prometheus_client.registry import Collector

from asgi_app import limits


class Sum(Collector):
    """A counter for what happens with every event: only the event loop adds to it, so it needs no lock."""

    def __init__(self, name: str, about: str) -> None:
        self.value = 0
        self._name = name
        self._about = about
        REGISTRY.register(self)

    def collect(self) -> Iterable[Metric]:
        """The counter, for the registry."""
        yield CounterMetricFamily(self._name, self._about, value=self.value)


DELAYS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10)

connections = Gauge("corkboard_connections", "WebSockets, event streams and polls that are open")
subscriptions = Gauge("corkboard_subscriptions", "Listeners of all topics; a WebSocket counts once per topic")
topics = Gauge("corkboard_topics", "Topics that this process follows; without listeners some linger")
handshakes = Counter("corkboard_handshakes", "Handshakes by path and outcome", ["path", "outcome"])
events = Sum("corkboard_events", "Events of topics that have listeners here, each counted once")
deliveries = Sum("corkboard_deliveries", "Events times the listeners they were written to")
delay = Histogram(
    "corkboard_delivery_seconds", "From publish() to the write to the last listener's socket", buckets=DELAYS
)
ahead = Counter("corkboard_clock_ahead", "Writes of events whose time is still to come: a publisher's clock")
gaps = Counter("corkboard_gaps_filled", "Events that the channel did not bring, read from the stream")
recoveries = Counter("corkboard_recoveries", "Clients that came back with a cursor, by outcome", ["outcome"])
evictions = Counter("corkboard_evictions", "Connections that the sidecar ended, by close code", ["code"])
ready = Gauge("corkboard_ready", "1 while this process serves clients, as /ws/readyz says")
limited = Counter(
    "corkboard_limited",
    "Times that a client reached a limit, by limit: frames, people, replays, topics, whispers",
    ["limit"],
)
reader_sessions = Counter("corkboard_reader_sessions", "Connections of the reader to Redis so far")
reader_silence = Gauge("corkboard_reader_silence_seconds", "Since the last sign of life from Redis")
reader_answer = Histogram(
    "corkboard_reader_answer_seconds",
    "A ping to Redis and back, on the way of the events",
    buckets=DELAYS,
)
loop_lag = Histogram("corkboard_loop_lag_seconds", "How late the event loop is", buckets=DELAYS)

# A counter that begins with its first event would have no rise that Prometheus could see.
for outcome in ("recovered", "lost"):
    recoveries.labels(outcome)
for code in (1003, 1008, 1012, 1013, 4401, 4403):
    evictions.labels(code)
for limit in ("frames", "people", "replays", "topics", "whispers"):
    limited.labels(limit)
for path in ("/ws", "/ws/events", "/ws/poll"):
    for outcome in ("accepted", "401", "403", "429", "503"):
        handshakes.labels(path, outcome)


def unix_time(text: str) -> float:
    """The Unix time, in seconds, that an event's `time` says; without a zone it is UTC.

    Raises:
        ValueError: it is none.
    """
    found = datetime.fromisoformat(text)
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()


def delivered(oldest: bytes, count: int, listeners: int) -> None:
    """Counts `count` events that were written to `listeners` together; their delay is that of the oldest.

    Args:
        oldest: the event as JSON. Only its time is looked for, which is near the beginning.
        count: how many events.
        listeners: how many got them.
    """
    events.value += count
    deliveries.value += count * listeners
    start = oldest.find(b'"time":"', 0, 512) + 8
    if start < 8:
        return
    try:
        seconds = time.time() - unix_time(oldest[start : oldest.find(b'"', start)].decode())
    except ValueError:
        return
    if seconds < -limits.CLOCK_SECONDS:
        ahead.inc()
    delay.observe(max(0.0, seconds))
