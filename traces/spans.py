"""Spans are noted when they are over, and sent by a thread: who notes one never waits for the receiver.

OpenTelemetry's own packages would do this, too. But redis-py loads them wherever they are installed, so that
who traces nothing would pay for them; and their shutdown waits for half a minute.
"""

from __future__ import annotations

import atexit
import logging
import os
import random
import threading
import time
from collections import deque
from contextlib import closing
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from urllib.parse import urlsplit

from traces.otlp import Span, encode

WAITING = 2048  # spans; more are dropped
SENT = 128  # at once: encoding them holds up the process' other threads for two milliseconds
SEND_SECONDS = 2.0  # until fewer are sent, too
AGAIN_SECONDS = 5.0  # after a receiver did not take them
ANSWER_SECONDS = 10.0
END_SECONDS = 1.0  # for what is left when the process ends
QUIET_SECONDS = 60.0  # between two messages in the log
# https://opentelemetry.io/docs/specs/otlp/#failures-1: what is refused otherwise is refused for good.
LATER = (429, 502, 503, 504)

log = logging.getLogger(__name__)


class Spans:
    """The spans of one process. May be made before it is forked: the thread begins with the first span.

    Args:
        endpoint: the address of an OTLP receiver for HTTP, without /v1/traces.
        service: what the spans are grouped by, `service.name`.
    """

    def __init__(self, endpoint: str, service: str) -> None:
        self._endpoint = endpoint
        self._service = service
        self._waiting: deque[Span] = deque()
        self._lost = 0  # since the last message
        self._quiet_until = 0.0
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._is_ending = False

    def note(self, span: Span) -> None:
        """Notes a span, which gets the ids that are 0. Never raises, and never waits."""
        if self._thread is None:
            self._begin()
        if len(self._waiting) >= WAITING:
            self._lost += 1
            return
        self._waiting.append(span)
        if len(self._waiting) == SENT:
            self._wake.set()

    def end(self) -> None:
        """Sends what is left, for END_SECONDS at most. Nothing the second time."""
        if self._is_ending:
            return
        self._is_ending = True
        self._wake.set()
        if self._thread is not None:
            self._thread.join(END_SECONDS)

    def complain(self, why: str) -> None:
        """Logs why spans are lost, once in QUIET_SECONDS."""
        if time.monotonic() >= self._quiet_until:
            self._quiet_until = time.monotonic() + QUIET_SECONDS
            lost, self._lost = self._lost, 0
            log.warning("OTEL_EXPORTER_OTLP_ENDPOINT does not take all: %s (spans lost: %d)", why, lost)

    def _begin(self) -> None:
        with self._lock:
            if self._thread is not None:
                return
            thread = threading.Thread(target=self._run, name="traces", daemon=True)
            try:
                thread.start()
            except RuntimeError as error:  # the limit of threads; the next span tries again
                self.complain(str(error))
                return
            self._thread = thread
            atexit.register(self.end)

    def _run(self) -> None:
        batch: list[Span] = []
        pause = SEND_SECONDS
        while not self._is_ending or self._waiting or batch:
            if not self._is_ending and (pause == AGAIN_SECONDS or len(self._waiting) < SENT):
                self._wake.wait(pause)
                self._wake.clear()
            while self._waiting and len(batch) < SENT:
                batch.append(_complete(self._waiting.popleft()))
            if not batch:
                continue
            why, is_worth_another_try = self._send(batch)
            pause = AGAIN_SECONDS if why and is_worth_another_try else SEND_SECONDS
            if not (why and is_worth_another_try):
                self._lost += len(batch) if why else 0
                batch = []
            if why or self._lost:
                self.complain(why or "they come faster than they can be sent")
            if why and self._is_ending:
                return

    def _send(self, batch: list[Span]) -> tuple[str, bool]:
        """Why the receiver did not take them; empty when it did. And whether it may take them later."""
        try:
            # `http.client` asks no proxy: what is set for other programs is not meant for this.
            resource: dict[str, str | int] = {"service.name": self._service, "process.pid": os.getpid()}
            body = encode(resource, batch)
            parts = urlsplit(self._endpoint)
            make = HTTPSConnection if parts.scheme == "https" else HTTPConnection
            port = parts.port or make.default_port  # left out, it would be looked for in an IPv6 address
            with closing(make(parts.hostname or "", port, timeout=ANSWER_SECONDS)) as connection:
                path = f"{parts.path.rstrip('/')}/v1/traces"
                connection.request("POST", path, body, {"Content-Type": "application/x-protobuf"})
                status = connection.getresponse().status
        except (OSError, HTTPException) as error:
            return f"{type(error).__name__}: {error}", True
        except Exception as error:  # the thread must go on
            return f"{type(error).__name__}: {error}", False
        return ("", False) if 200 <= status < 300 else (f"it answers {status}", status in LATER)


def _complete(span: Span) -> Span:
    return span._replace(
        trace=span.trace or random.getrandbits(128) or 1, id=span.id or random.getrandbits(64) or 1
    )
