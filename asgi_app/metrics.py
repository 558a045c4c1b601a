"""The metrics for Prometheus, at `/metrics`, which nginx does not pass on."""

from __future__ import annotations

import time
from datetime import UTC, datetime

from prometheus_client import CONTENT_TYPE_LATEST, Counter, Gauge, Histogram, generate_latest
from starlette.requests import Request
from starlette.responses import Response

DELAYS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10)

connections = Gauge("corkboard_connections", "WebSockets, event streams and polls that are open")
subscriptions = Gauge("corkboard_subscriptions", "Listeners of all topics; a WebSocket counts once per topic")
handshakes = Counter("corkboard_handshakes", "Handshakes by path and outcome", ["path", "outcome"])
deliveries = Counter("corkboard_deliveries", "Events times the listeners they were written to")
delay = Histogram("corkboard_delivery_seconds", "From the event's own time to its writing", buckets=DELAYS)
gaps = Counter("corkboard_gaps_filled", "Events that the channel did not bring, read from the stream")
recoveries = Counter("corkboard_recoveries", "Clients that came back with a cursor, by outcome", ["outcome"])
evictions = Counter("corkboard_evictions", "Connections that the sidecar ended, by close code", ["code"])
reader_sessions = Counter("corkboard_reader_sessions", "Connections of the reader to Redis so far")
reader_silence = Gauge("corkboard_reader_silence_seconds", "Since the last sign of life from Redis")
loop_lag = Histogram("corkboard_loop_lag_seconds", "How late the event loop is", buckets=DELAYS)


def delivered(json: bytes, writes: int) -> None:
    """Counts a batch that was written `writes` times; the delay is that of `json`, its last event."""
    deliveries.inc(writes)
    start = json.find(b'"time":"', 0, 512) + 8
    if start > 8:
        end = json.find(b'"', start)
        try:
            sent = datetime.fromisoformat(json[start:end].decode())
        except ValueError:
            return
        delay.observe(max(0.0, time.time() - (sent if sent.tzinfo else sent.replace(tzinfo=UTC)).timestamp()))


async def endpoint(_request: Request) -> Response:
    """All metrics in Prometheus' text format."""
    return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)
