"""Real browsers for apps that nobody here wrote."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.harness.chromium import chromium  # noqa: F401  (a fixture)

Visit = Callable[[str], Page]

expect.set_options(timeout=20_000)


@pytest.fixture
def visit(chromium: Browser) -> Iterator[Visit]:  # noqa: F811
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
