"""A real Chromium in front of the real stack."""

from __future__ import annotations

import json
import urllib.request
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.harness.cable import Cable
from tests.harness.chromium import browser
from tests.harness.local import LocalStack
from tests.harness.orders import Orders, expect_status

OpenWall = Callable[..., Page]
OpenPage = Callable[..., Page]
Pin = Callable[[str], None]


# Nothing here promises to be quicker; where something does, its test says so.
expect.set_options(timeout=20_000)


@pytest.fixture(scope="package")
def chromium() -> Iterator[Browser]:
    """The browser; tests that need it are skipped where there is none."""
    with browser() as started:
        yield started


@pytest.fixture
def board() -> str:
    """A board that nobody else uses."""
    return f"test-{uuid.uuid4().hex[:12]}"


@pytest.fixture
def pin(stack: LocalStack, board: str) -> Pin:
    """Pins a note without a browser."""

    def post(text: str) -> None:
        body = json.dumps({"board": board, "text": text, "color": "khaki"}).encode()
        request = urllib.request.Request(  # noqa: S310
            f"{stack.base_url}/api/notes", body, {"Content-Type": "application/json"}
        )
        urllib.request.urlopen(request, timeout=30).close()  # noqa: S310

    return post


@pytest.fixture
def open_wall(chromium: Browser, stack: LocalStack, board: str) -> Iterator[OpenWall]:
    """Opens the board as another person (a browser context of its own) and waits until it is live."""
    contexts = []

    def open_one(
        base_url: str = stack.base_url,
        prepare: Callable[[Page], object] | None = None,
        wait: bool = True,
        share: bool = False,
        **options: Any,
    ) -> Page:
        # What a service worker asks for, no route of a test sees.
        quiet = {"reduced_motion": "reduce", "service_workers": "block"}
        context = chromium.new_context(base_url=base_url, **{**quiet, **options})
        contexts.append(context)
        context.set_default_timeout(60_000)
        if not share:
            # A socket that a worker holds, no route of a test sees.
            context.add_init_script("delete globalThis.SharedWorker")
        page = context.new_page()
        if prepare:
            prepare(page)
        page.goto(f"/b/{board}")
        if wait:
            expect(page.get_by_text("Live", exact=True)).to_be_visible(timeout=30_000)
        return page

    yield open_one
    for context in contexts:
        context.close()


@pytest.fixture
def cable(stack: LocalStack) -> Iterator[Cable]:
    """A way to the stack that can be cut."""
    with Cable(stack.base_url) as cable:
        yield cable


@pytest.fixture(scope="package")
def around() -> Iterator[tuple[Orders, LocalStack]]:
    """Somebody else's app, and Corkboard around it."""
    with Orders() as app, LocalStack({"APP": app.url}) as stack, pytest.MonkeyPatch.context() as patch:
        patch.setenv("CORKBOARD_ENV_FILE", str(stack.state.app_env))
        yield app, stack


@pytest.fixture
def orders(around: tuple[Orders, LocalStack]) -> Orders:
    """Somebody else's app, as it is in the beginning."""
    around[0].reset()
    return around[0]


@pytest.fixture
def front(around: tuple[Orders, LocalStack]) -> LocalStack:
    """Corkboard around that app."""
    return around[1]


@pytest.fixture
def open_page(chromium: Browser, front: LocalStack, orders: Orders) -> Iterator[OpenPage]:  # noqa: ARG001
    """Opens the app's page as another person and waits until it is live."""
    contexts = []

    def open_one(
        base_url: str = front.base_url, prepare: Callable[[Page], object] | None = None, wait: bool = True
    ) -> Page:
        context = chromium.new_context(base_url=base_url)
        contexts.append(context)
        page = context.new_page()
        if prepare:
            prepare(page)
        page.goto("/orders")
        if wait:
            expect_status(page, "live")
        return page

    yield open_one
    for context in contexts:
        context.close()


@pytest.fixture
def front_cable(front: LocalStack) -> Iterator[Cable]:
    """A way to the app that can be cut."""
    with Cable(front.base_url) as cable:
        yield cable
