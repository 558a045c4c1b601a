"""A request id names one place in one trace, for whoever reads it. Noting a span waits for nothing."""

from __future__ import annotations

import socket
import time

import pytest
from flask import Flask, g
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

import wsgi_app.tracing
from asgi_app import limits
from asgi_app.topics.event import Batch, Event
from asgi_app.tracing import Tracing
from tests.harness.clients import wait_for
from tests.harness.otlp import Receiver
from traces import place, receiver
from traces.otlp import CONSUMER, SERVER, Span, encode
from traces.spans import END_SECONDS, SENT, WAITING, Spans

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


class Noted:
    """In the place of `Spans`: remembers."""

    end = None

    def __init__(self) -> None:
        self.spans: list[Span] = []
        self.note = self.spans.append
        self.complaints: list[str] = []
        self.complain = self.complaints.append


@pytest.fixture
def noted(monkeypatch: pytest.MonkeyPatch) -> Noted:
    noted = Noted()
    monkeypatch.setattr("asgi_app.tracing.Spans", lambda *_: noted)
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
    assert span.name == "deliver board"
    assert (span.trace, span.id, span.parent) == (int(TRACE, 16), 0, int(TRACE[16:], 16))
    assert span.start == 1769860800_500_000_000
    assert abs(span.end - time.time_ns()) < 60e9
    assert span.attributes["corkboard.event_type"] == 'a "b" c'
    assert span.attributes["corkboard.request_id"] == TRACE
    assert span.attributes["corkboard.listeners"] == 3


def test_an_event_of_a_script_begins_a_trace(noted: Noted) -> None:
    Tracing("http://a").delivered("orders", Batch([event(request_id="")]), 1)
    (span,) = noted.spans
    assert (span.trace, span.parent) == (0, 0)


@pytest.mark.parametrize("sent", ["2999-01-01T00:00:00Z", "yesterday", "0001-01-01T00:00:00Z"])
def test_a_span_never_ends_before_it_begins(noted: Noted, sent: str) -> None:
    Tracing("http://a").delivered("orders", Batch([event(sent=sent)]), 1)
    assert 0 < noted.spans[0].start <= noted.spans[0].end


def test_many_events_at_once_hold_up_the_event_loop_for_a_moment_only(noted: Noted) -> None:
    Tracing("http://a").delivered("orders", Batch([event()] * 10_000), 1)
    assert len(noted.spans) == limits.TRACED_EVENTS


def test_what_is_no_event_and_what_nobody_got_is_no_span(noted: Noted) -> None:
    tracing = Tracing("http://a")
    tracing.delivered("orders", Batch([Event(b"e-1", b'{"op":"other"}'), Event(b"e-2", b"")]), 1)
    tracing.delivered("orders", Batch([event()]), 0)
    assert not noted.spans


def test_an_event_that_cannot_be_traced_is_delivered_all_the_same(noted: Noted) -> None:
    Tracing("http://a").delivered("orders", Batch([event(r"\x"), event()]), 1)
    assert len(noted.complaints) == 1


@pytest.mark.parametrize(("status", "is_final"), [(201, True), (404, True), (503, False)])
def test_the_span_that_events_name_is_left_to_the_request_that_does_not_fail(
    monkeypatch: pytest.MonkeyPatch, status: int, is_final: bool
) -> None:
    noted = Noted()
    monkeypatch.setattr("wsgi_app.tracing.Spans", lambda *_: noted)
    app = Flask(__name__)
    wsgi_app.tracing.init_app(app, "http://a")

    @app.post("/")
    def answer() -> tuple[str, int]:
        g.started, g.request_id = time.perf_counter(), TRACE
        return "", status

    app.test_client().post("/")
    (span,) = noted.spans
    named = int(TRACE[16:], 16)
    assert (span.id, span.parent) == ((named, 0) if is_final else (0, named))


NOTED = Span("a", SERVER, 1, 2, 0, 3, 4, {})


def test_spans_are_encoded_as_opentelemetry_decodes_them() -> None:
    attributes: dict[str, str | int] = {"text": "ä€\udc80", "empty": "", "number": 2**40, "zero": 0}
    root = Span("POST /é", SERVER, int(TRACE, 16), int(SPAN, 16), 0, 10**18, 10**18 + 1, attributes, True)
    child = Span("x" * 300, CONSUMER, 1, 2, 3, 0, 0, {})
    decoded = ExportTraceServiceRequest.FromString(encode({"service.name": "app"}, [root, child]))
    (resource,) = decoded.resource_spans
    (scope,) = resource.scope_spans
    assert resource.resource.attributes[0].value.string_value == "app"
    assert scope.scope.name == "corkboard"
    one, two = scope.spans
    assert (one.trace_id.hex(), one.span_id.hex(), one.parent_span_id.hex()) == (TRACE, SPAN, "")
    assert (one.name, one.kind, one.status.code) == (
        "POST /é",
        one.SPAN_KIND_SERVER,
        one.status.STATUS_CODE_ERROR,
    )
    assert (one.start_time_unix_nano, one.end_time_unix_nano) == (10**18, 10**18 + 1)
    values = [getattr(each.value, each.value.WhichOneof("value")) for each in one.attributes]
    assert values == ["ä€?", "", 2**40, 0]
    assert (two.name, two.kind, two.status.code) == ("x" * 300, two.SPAN_KIND_CONSUMER, 0)
    assert (two.trace_id[-1], two.span_id[-1], two.parent_span_id[-1]) == (1, 2, 3)


def test_nobody_waits_for_a_receiver_that_hangs_not_even_at_the_end() -> None:
    with socket.create_server(("127.0.0.1", 0)) as hanging:  # the kernel accepts, and nobody answers
        spans = Spans(f"http://127.0.0.1:{hanging.getsockname()[1]}", "test")
        begun = time.perf_counter()
        for _ in range(10 * WAITING):
            spans.note(NOTED)
        noted = time.perf_counter()
        spans.end()
        spans.end()  # as the sidecar, and then Python
        ended = time.perf_counter()
    assert noted - begun < 5  # far less: 10 to 20 ms where nothing else runs
    assert ended - noted < 2 * END_SECONDS


def test_spans_arrive_later_when_the_receiver_was_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("traces.spans.SEND_SECONDS", 0.05)
    monkeypatch.setattr("traces.spans.AGAIN_SECONDS", 0.1)
    with Receiver() as receiver:
        receiver.statuses = [503, 429]
        spans = Spans(receiver.url, "test")
        for number in range(SENT + 10):
            spans.note(NOTED._replace(name=str(number)))
        wait_for(lambda: len(receiver.spans) >= SENT + 10, "all spans")
        spans.end()
    assert [span.name for span in receiver.spans] == [str(number) for number in range(SENT + 10)]


def test_what_the_receiver_refuses_for_good_is_not_sent_again(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("traces.spans.SEND_SECONDS", 0.05)
    with Receiver() as receiver:
        receiver.statuses = [400]
        spans = Spans(receiver.url, "test")
        spans.note(NOTED._replace(name="refused"))
        wait_for(lambda: not receiver.statuses, "the refusal")
        spans.note(NOTED._replace(name="taken"))
        spans.end()
    assert [span.name for span in receiver.spans] == ["taken"]
    (line,) = [record.getMessage() for record in caplog.records]
    assert line.startswith("OTEL_EXPORTER_OTLP_ENDPOINT does not take all: it answers 400 (spans lost: 1)")


def test_the_log_says_that_there_was_no_room_for_spans(caplog: pytest.LogCaptureFixture) -> None:
    with Receiver() as receiver:
        spans = Spans(receiver.url, "test")
        for _ in range(10 * WAITING):
            spans.note(NOTED)
        spans.end()
    assert 0 < len(receiver.spans) < 10 * WAITING
    (line,) = [record.getMessage() for record in caplog.records]
    assert "faster than they can be sent" in line


def test_one_message_a_minute_says_that_the_receiver_is_away(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("traces.spans.SEND_SECONDS", 0.01)
    monkeypatch.setattr("traces.spans.AGAIN_SECONDS", 0.01)
    spans = Spans("http://127.0.0.1:1", "test")
    for _ in range(20):
        spans.note(NOTED)
        time.sleep(0.02)
    spans.end()
    assert len(caplog.records) == 1
    assert "ConnectionRefusedError" in caplog.text


def test_a_thread_that_cannot_be_started_fails_nobody(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(*_: object) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr("threading.Thread.start", refuse)
    spans = Spans("http://127.0.0.1:1", "test")
    for _ in range(3):
        spans.note(NOTED)
    spans.end()
    assert len(caplog.records) == 1
