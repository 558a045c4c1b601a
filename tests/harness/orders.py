"""Somebody else's app: a page that a server renders and that listens, served by a thread of the test."""

from __future__ import annotations

import threading
import time
from types import TracebackType
from typing import Self

from flask import Flask, Response
from playwright.sync_api import Page, expect
from werkzeug.serving import WSGIRequestHandler, make_server
from werkzeug.wrappers import Response as AnyResponse

import corkboard
from tests.harness.local import free_port

CSP = "default-src 'none'; script-src 'self'; connect-src 'self'; base-uri 'none'"

# Nobody sees the page (true), or somebody does again (false): a headless browser has no background.
LOOK = (
    "Object.defineProperty(document, 'hidden', {value: %s, configurable: true});"
    "document.dispatchEvent(new Event('visibilitychange'))"
)


class Quiet(WSGIRequestHandler):
    """Writes no log."""

    def log(self, type: str, message: str, *args: object) -> None:  # noqa: A002
        """Nothing."""


class Orders:
    """The page `/orders`. What it shows, to whom, and how it answers can be changed at any time."""

    def __init__(self) -> None:
        self.url = f"http://127.0.0.1:{free_port()}"
        self.reset()
        app = Flask("orders")
        app.get("/orders")(self._orders)
        app.get("/<other>")(lambda other: self._page(f"<h1>{other}</h1>", corkboard.listen(other)))
        app.get("/script.js", endpoint="script")(
            lambda: Response(self.script, content_type="text/javascript")
        )
        app.after_request(self._end)
        self._server = make_server("127.0.0.1", int(self.url.rpartition(":")[2]), app, True, 1, Quiet)

    def reset(self) -> None:
        """An empty page that listens to `orders`, under a strict policy."""
        self.body = ""
        self.script = ""
        self.topics = ["orders"]
        self.subject = ""
        self.csp = CSP
        self.seconds = 0.0
        self.answer: AnyResponse | None = None
        # When the page was asked for, by time.monotonic(). Replaced, not emptied.
        self.asked: list[float] = []

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()

    def _orders(self) -> AnyResponse:
        realtime = corkboard.listen(*self.topics, subject=self.subject)
        body, answer = self.body, self.answer
        self.asked.append(time.monotonic())
        time.sleep(self.seconds)
        return answer or self._page(body, realtime)

    def _page(self, body: str, realtime: str = "") -> Response:
        # First, so that it misses nothing: modules run in the order of the page.
        script = '<script type="module" src="/script.js"></script>' if self.script else ""
        head = f"<title>Orders</title>{script}{realtime}"
        return Response(f"<!doctype html><html lang=en><head>{head}</head><body>{body}</body></html>")

    def _end(self, response: AnyResponse) -> AnyResponse:
        if self.csp:
            response.headers["Content-Security-Policy"] = self.csp
        return response


def expect_status(page: Page, status: str) -> None:
    """Waits until the page says so: live, connecting, offline or stopped."""
    expect(page.locator("html")).to_have_attribute("data-realtime", status)
