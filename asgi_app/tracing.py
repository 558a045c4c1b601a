"""Traces for OpenTelemetry: one span per event that this process delivers, in the trace of the request.

Imported only where OTEL_EXPORTER_OTLP_ENDPOINT is set.
https://opentelemetry.io/docs/specs/semconv/messaging/messaging-spans/
"""

from __future__ import annotations

import json
import re
import time

from asgi_app import limits, metrics
from asgi_app.topics.event import Batch, Event
from traces import place
from traces.otlp import CONSUMER, Span
from traces.spans import Spans

# How every event begins: corkboard/functions.lua. What follows, its data, is not looked at.
HEAD = re.compile(
    rb'\{"op":"event","topic":"[^"]*","id":"[^"]*","type":"((?:[^"\\]|\\.)*)"'
    rb',"time":"([^"]*)","request_id":"([^"]*)"'
)


class Tracing:
    """Notes events that were delivered."""

    def __init__(self, endpoint: str) -> None:
        self._spans = Spans(endpoint, "corkboard-sidecar")
        self.end = self._spans.end

    def delivered(self, topic: str, batch: Batch, listeners: int) -> None:
        """Notes that events of a topic were written to so many listeners, just now. Never raises."""
        now = time.time_ns()
        try:
            for event in batch.events[: limits.TRACED_EVENTS]:
                if listeners and (found := HEAD.match(event.json)):
                    said = [
                        json.loads(b'"%b"' % part.decode(errors="replace").encode())
                        for part in found.groups()
                    ]
                    self._spans.note(_span(topic, event, listeners, now, *said))
        except Exception as error:  # the topic's delivery must go on
            self._spans.complain(repr(error))


def _span(topic: str, event: Event, listeners: int, now: int, kind: str, sent: str, request_id: str) -> Span:
    attributes: dict[str, str | int] = {
        "messaging.system": "corkboard",
        "messaging.operation.name": "deliver",
        "messaging.destination.name": topic,
        "messaging.message.id": event.id.decode(),
        "corkboard.event_type": kind,
        "corkboard.listeners": listeners,
        "corkboard.request_id": request_id,
    }
    # What no request caused begins a trace of its own.
    trace, cause = place(request_id)[:2] if request_id else (0, 0)
    try:
        begun = int(metrics.unix_time(sent) * 1e9)
    except ValueError:
        begun = 0
    start = begun if 0 < begun < now else now  # the publisher's clock may be ahead
    return Span(f"deliver {topic.partition(':')[0]}", CONSUMER, trace, 0, cause, start, now, attributes)
