"""A request id names one place in one trace, for whoever reads it. Noting a span waits for nothing."""

from __future__ import annotations

import logging
import socket
import time
from collections.abc import Iterator
from typing import Any

import pytest
from opentelemetry.trace import SpanKind

from asgi_app import limits
from asgi_app.topics.event import Batch, Event
from asgi_app.tracing import Tracing
from traces import place, receiver
from traces.spans import END_SECONDS, LOGGERS, SENT, WAITING, Seldom, Spans

TRACE = "4f1c9a7be0d24c1e8d3f5a6b7c8d9e0f"
SPAN = "00f067aa0ba902b7"


def test_a_request_id_of_nginx_is_the_trace_and_its_second_half_the_span() -> None:
    assert place(TRACE) == place(TRACE.upper()) == (int(TRACE, 16), int(TRACE[16:], 16), False)


def test_a_request_id_can_name_a_span_elsewhere() -> None:
    assert place(f"{TRACE}-{SPAN}") == (int(TRACE, 16), int(SPAN, 16), True)


@pytest.mark.parametrize(
    "request_id",
    ["my-request-1", "0" * 32, TRACE[:16] + "0" * 16, f"{TRACE}-{'0' * 16}", "g" * 32, TRACE + "0"],
)
def test_any_other_request_id_leads_to_a_place_of_its_own(request_id: str) -> None:
    trace, span, is_given = place(request_id)
    assert 0 < trace < 2**128
    assert 0 < span < 2**64
    assert not is_given
    assert place(request_id) == (trace, span, False)
    assert trace not in (place("another-id").trace, int(TRACE, 16))


@pytest.mark.parametrize("url", ["http://a", "https://a:4318/otlp/", "http://[::1]:4318"])
def test_an_endpoint(url: str) -> None:
    assert receiver(url) == url


@pytest.mark.parametrize(
    "url",
    [
        "a:4318",
        "grpc://a:4317",
        "http://",
        "http://a:x",
        "http://a:0",
        "http://a:99999",
        "http://b@a",
        "http://a b",
    ],
)
def test_no_endpoint(url: str) -> None:
    with pytest.raises(ValueError, match=r"^Input should be http://HOST:PORT"):
        receiver(url)


@pytest.fixture(autouse=True)
def as_in_a_new_process() -> Iterator[None]:
    """No message of a test before keeps one of this test from being seen."""
    yield
    for name in LOGGERS:
        logging.getLogger(name).filters.clear()


class Noted:
    """In the place of `Spans`: remembers."""

    def __init__(self) -> None:
        self.spans: list[dict[str, Any]] = []

    def note(
        self, name: str, kind: SpanKind, attributes: dict[str, Any], nanoseconds: tuple[int, int], **ids: int
    ) -> None:
        assert kind is SpanKind.CONSUMER
        self.spans.append({"name": name, "attributes": attributes, "nanoseconds": nanoseconds, **ids})


@pytest.fixture
def noted(monkeypatch: pytest.MonkeyPatch) -> Noted:
    noted = Noted()
    monkeypatch.setattr("asgi_app.tracing.Spans", lambda *_: _with_end(noted))
    return noted


def _with_end(noted: Noted) -> Noted:
    noted.end = None  # type: ignore[attr-defined]
    return noted


def event(
    kind: str = "note.created", sent: str = "2026-01-31T12:00:00.500Z", request_id: str = TRACE
) -> Event:
    text = (
        f'{{"op":"event","topic":"board:main","id":"e-1","type":"{kind}","time":"{sent}"'
        f',"request_id":"{request_id}","data":{{"request_id":"another"}}}}'
    )
    return Event(b"e-1", text.encode())


def test_an_event_is_a_span_from_its_publication_to_now(noted: Noted) -> None:
    Tracing("http://a").delivered("board:main", Batch([event(r"a \"b\" c")]), 3)
    (span,) = noted.spans
    assert span["name"] == "deliver board"
    assert (span["trace"], span["parent"]) == (int(TRACE, 16), int(TRACE[16:], 16))
    assert span["nanoseconds"][0] == 1769860800_500_000_000
    assert abs(span["nanoseconds"][1] - time.time_ns()) < 60e9
    assert span["attributes"]["corkboard.request_id"] == TRACE
    assert span["attributes"]["corkboard.listeners"] == 3


def test_an_event_of_a_script_begins_a_trace(noted: Noted) -> None:
    Tracing("http://a").delivered("orders", Batch([event(request_id="")]), 1)
    (span,) = noted.spans
    assert (span["trace"], span["parent"]) == (0, 0)


@pytest.mark.parametrize("sent", ["2999-01-01T00:00:00Z", "yesterday", "0001-01-01T00:00:00Z"])
def test_a_span_never_ends_before_it_begins(noted: Noted, sent: str) -> None:
    Tracing("http://a").delivered("orders", Batch([event(sent=sent)]), 1)
    assert 0 < noted.spans[0]["nanoseconds"][0] <= noted.spans[0]["nanoseconds"][1]


def test_many_events_at_once_hold_up_the_event_loop_for_a_moment_only(noted: Noted) -> None:
    Tracing("http://a").delivered("orders", Batch([event()] * 10_000), 1)
    assert len(noted.spans) == limits.TRACED_EVENTS


def test_what_is_no_event_and_what_nobody_got_is_no_span(noted: Noted) -> None:
    tracing = Tracing("http://a")
    tracing.delivered("orders", Batch([Event(b"e-1", b'{"op":"other"}'), Event(b"e-2", b"")]), 1)
    tracing.delivered("orders", Batch([event()]), 0)
    assert not noted.spans


def test_nobody_waits_for_a_receiver_that_hangs_not_even_at_the_end(caplog: pytest.LogCaptureFixture) -> None:
    with socket.create_server(("127.0.0.1", 0)) as hanging:  # the kernel accepts, and nobody answers
        spans = Spans(f"http://127.0.0.1:{hanging.getsockname()[1]}", "test")
        begun = time.perf_counter()
        for number in range(WAITING + 2 * SENT + 100):
            spans.note(f"span {number}", SpanKind.SERVER, {}, (1, 2), trace=1, span=2)
        noted = time.perf_counter()
        spans.end()
        ended = time.perf_counter()
    assert noted - begun < 5  # it is far less: a second at most on a machine that is busy
    assert ended - noted < END_SECONDS + 2
    assert len(caplog.records) <= 2, caplog.text


def test_a_span_that_cannot_be_noted_fails_nobody(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(*_: object) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr("traces.spans.BatchSpanProcessor", refuse)
    spans = Spans("http://127.0.0.1:1", "test")
    for _ in range(3):
        spans.note("span", SpanKind.SERVER, {}, (1, 2))
    spans.end()
    said = [record.message for record in caplog.records if record.name == "traces.spans"]
    assert said == ["a span is lost"]


def test_a_message_is_seen_once_a_minute() -> None:
    seldom, record = Seldom(), logging.makeLogRecord({})
    passed = []
    for second in range(0, 180, 10):
        record.created = 1000.0 + second
        passed.append(seldom.filter(record))
    assert passed.count(True) == 3
