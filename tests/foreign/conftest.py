"""Real browsers for apps that nobody here wrote."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.harness.chromium import browser

Visit = Callable[[str], Page]

expect.set_options(timeout=20_000)


@pytest.fixture(scope="package")
def chromium() -> Iterator[Browser]:
    """The browser; tests that need it are skipped where there is none."""
    with browser() as started:
        yield started


@pytest.fixture
def visit(chromium: Browser) -> Iterator[Visit]:
    """Opens an address as another person: a browser context of its own."""
    contexts = []

    def open_one(url: str) -> Page:
        context = chromium.new_context()
        contexts.append(context)
        context.set_default_timeout(30_000)
        page = context.new_page()
        page.goto(url)
        return page

    yield open_one
    for context in contexts:
        context.close()
