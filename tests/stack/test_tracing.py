"""With an OTLP endpoint, a click and its deliveries are one trace; without, what would trace is not there."""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from local.settings import ROOT
from tests.harness.clients import Socket, http, wait_for
from tests.harness.local import LocalStack, free_port
from tests.harness.otlp import Receiver, Span
from tests.stack.test_delivery import post

SERVER, CONSUMER = 2, 5
# As Gunicorn and `python -m asgi_app` make them.
APPS = """
import sys
from asgi_app import settings
from asgi_app.app import Sidecar
from wsgi_app.app import create_app
create_app()
Sidecar(settings.load())
parts = ("traces.", "wsgi_app.tracing", "asgi_app.tracing")
print(sorted(name for name in sys.modules if name.startswith(parts)))
"""


@pytest.fixture(scope="module")
def receiver() -> Iterator[Receiver]:
    with Receiver() as running:
        yield running


@pytest.fixture(scope="module")
def traced(receiver: Receiver) -> Iterator[LocalStack]:
    # The receiver is asked directly, whatever proxy a machine has.
    environment = {"OTEL_EXPORTER_OTLP_ENDPOINT": receiver.url + "/", "DRAIN_SECONDS": "0"}
    with LocalStack(environment | {"http_proxy": "http://127.0.0.1:1"}) as stack:
        yield stack


def spans(receiver: Receiver, request_id: str, count: int) -> list[Span]:
    """So many spans of a request, in the order of their names: GET and POST come first."""
    wait_for(lambda: len(receiver.of(request_id)) >= count, f"{count} spans of {request_id}")
    return sorted(receiver.of(request_id), key=lambda span: span.name)


def click(stack: LocalStack, request_id: str) -> tuple[str, str]:
    """A note that a listener gets; the board, and the event's id."""
    board = f"test-{secrets.token_hex(6)}"
    with Socket(stack, topic=f"board:{board}") as socket:
        socket.expect("subscribed")
        post(stack, board, "hello", **{"X-Request-Id": request_id})
        return board, socket.expect("event")["id"]


def test_a_write_and_its_delivery_are_one_trace(traced: LocalStack, receiver: Receiver) -> None:
    request_id = secrets.token_hex(16)
    board, event_id = click(traced, request_id)
    written, delivered = spans(receiver, request_id, 2)
    assert written.trace == delivered.trace == request_id
    assert (written.parent, delivered.parent) == ("", written.id)
    assert (written.service, written.kind) == ("corkboard-app", SERVER)
    assert written.name == "POST /api/notes"
    assert written.attributes == {
        "http.request.method": "POST",
        "http.route": "/api/notes",
        "http.response.status_code": 201,
        "corkboard.request_id": request_id,
    }
    assert (delivered.service, delivered.kind) == ("corkboard-sidecar", CONSUMER)
    assert delivered.name == "deliver board"
    assert delivered.attributes["messaging.destination.name"] == f"board:{board}"
    assert delivered.attributes["messaging.message.id"] == event_id
    assert delivered.attributes["corkboard.event_type"] == "note.created"
    assert delivered.attributes["corkboard.listeners"] == 1
    assert 0 <= written.seconds < 30
    assert 0 <= delivered.seconds < 30


def test_a_request_that_nginx_named_is_traced(traced: LocalStack, receiver: Receiver) -> None:
    with http(traced) as client:
        request_id = client.get("/api/boards").headers["X-Request-Id"]
        probe = client.get("/readyz").headers["X-Request-Id"]
    (read,) = spans(receiver, request_id, 1)
    assert (read.trace, read.id) == (request_id, request_id[16:])
    assert not receiver.of(probe)


def test_a_span_elsewhere_that_caused_a_request_is_the_parent_of_all(
    traced: LocalStack, receiver: Receiver
) -> None:
    trace, span = secrets.token_hex(16), secrets.token_hex(8)
    click(traced, f"{trace}-{span}")
    assert {(each.trace, each.parent) for each in spans(receiver, f"{trace}-{span}", 2)} == {(trace, span)}


def test_what_is_not_sent_yet_is_sent_when_a_process_ends(traced: LocalStack, receiver: Receiver) -> None:
    request_id = secrets.token_hex(16)
    click(traced, request_id)
    traced.down()
    assert len(receiver.of(request_id)) == 2
    traced.start()


def test_nobody_waits_for_a_receiver_that_is_away() -> None:
    environment = {"OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{free_port()}", "DRAIN_SECONDS": "0"}
    with LocalStack(environment | {"ASGI_REPLICAS": "1"}) as stack:
        for _ in range(20):
            click(stack, secrets.token_hex(16))
        # One message per process and minute says why.
        wait_for(
            lambda: "does not take all: ConnectionRefusedError" in stack.logs("asgi"), "a message in the log"
        )
        for _ in range(20):
            click(stack, secrets.token_hex(16))
        for service, processes in (("asgi", 1), ("wsgi", 2)):
            said = [line for line in stack.logs(service).splitlines() if "does not take all" in line]
            assert len(said) <= processes, said


def test_without_an_endpoint_what_would_trace_is_not_even_loaded(tmp_path: Path) -> None:
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("OTEL_")},
        "PROMETHEUS_MULTIPROC_DIR": str(tmp_path),
        "SECRET_KEY": "k" * 32,
        "SESSION_KEY": "s" * 32,
        "CORKBOARD_URL": "redis://127.0.0.1:1/0",
        "CORKBOARD_SECRET_KEY": "k" * 32,
    }

    def loaded(**more: str) -> str:
        done = subprocess.run(
            [sys.executable, "-c", APPS], env=environment | more, cwd=ROOT, check=True, capture_output=True
        )
        return done.stdout.decode().strip()

    endpoint = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1"}
    assert loaded() == loaded(**endpoint, OTEL_SDK_DISABLED="True") == "[]"
    assert "traces.spans" in loaded(**endpoint)
