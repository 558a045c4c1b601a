"""Spans as an OTLP request: protocol buffers, of which no more than these few fields are needed.

https://github.com/open-telemetry/opentelemetry-proto/blob/main/opentelemetry/proto/trace/v1/trace.proto
https://protobuf.dev/programming-guides/encoding/
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping
from typing import NamedTuple

# Of a span: what it is to its parent; and of its status.
SERVER, CONSUMER = 2, 5
ERROR = 2

Attributes = Mapping[str, "str | int"]


class Span(NamedTuple):
    """One span that is over. Ids are numbers; a `parent` of 0 is none. Times are Unix nanoseconds."""

    name: str
    kind: int
    trace: int
    id: int
    parent: int
    start: int
    end: int
    attributes: Attributes
    has_failed: bool = False


def encode(resource: Attributes, spans: Iterable[Span]) -> bytes:
    """An ExportTraceServiceRequest with spans of one process, which `resource` describes."""
    scope = _part(1, _text(1, "corkboard"))
    scoped = scope + b"".join(_part(2, _span(span)) for span in spans)
    return _part(1, _part(1, _attributes(1, resource)) + _part(2, scoped))


def _span(span: Span) -> bytes:
    return b"".join(
        (
            _part(1, span.trace.to_bytes(16, "big")),
            _part(2, span.id.to_bytes(8, "big")),
            _part(4, span.parent.to_bytes(8, "big")) if span.parent else b"",
            _text(5, span.name),
            _number(6, span.kind),
            _fixed(7, span.start),
            _fixed(8, span.end),
            _attributes(9, span.attributes),
            _part(15, _number(3, ERROR)) if span.has_failed else b"",
        )
    )


def _attributes(field: int, attributes: Attributes) -> bytes:
    parts = []
    for key, value in attributes.items():
        content = _number(3, value) if isinstance(value, int) else _text(1, value)
        parts.append(_part(field, _text(1, key) + _part(2, content)))
    return b"".join(parts)


def _text(field: int, text: str) -> bytes:
    return _part(field, text.encode(errors="replace"))


def _part(field: int, content: bytes) -> bytes:
    return _varint(field << 3 | 2) + _varint(len(content)) + content


def _number(field: int, number: int) -> bytes:
    return _varint(field << 3) + _varint(number)


def _fixed(field: int, number: int) -> bytes:
    return _varint(field << 3 | 1) + struct.pack("<Q", number)


def _varint(number: int) -> bytes:
    parts = bytearray()
    while number > 127:
        parts.append(number & 127 | 128)
        number >>= 7
    parts.append(number)
    return bytes(parts)
