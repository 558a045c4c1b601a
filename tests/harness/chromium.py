"""Where Chromium is, and how it is started."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from playwright.sync_api import Browser, Error, Page, sync_playwright

from tests.harness.clients import wait_for

NAMES = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome")
# Of the addresses that nobody has (RFC 5737).
ELSEWHERE = "192.0.2.1"
ARGS = [
    "--no-sandbox",
    "--headless",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-dev-shm-usage",  # in a container it is small
    "--no-proxy-server",
    # As a wall in a local network: to browsers, it is not as safe as localhost.
    f"--host-resolver-rules=MAP {ELSEWHERE} 127.0.0.1",
]


def find_chromium() -> str | None:
    """The path of a Chromium or Chrome on PATH, or None."""
    return next((path for name in NAMES if (path := shutil.which(name))), None)


@contextmanager
def browser() -> Iterator[Browser]:
    """A running browser; the test is skipped where there is no Chromium.

    It keeps an event loop running in this thread, which tests of other packages must not meet: the fixture
    that uses it needs the scope of its package.
    """
    path = find_chromium()
    if path is None:
        pytest.skip("no Chromium on PATH")
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=path, args=ARGS, timeout=120_000)
        yield started
        started.close()


def until(page: Page, expression: str, argument: Any = None) -> None:
    """Returns when an expression in JavaScript, or a function of `argument`, gives something true.

    `Page.wait_for_function` asks within the page, where the wall's policy forbids to evaluate a text.

    Raises:
        AssertionError: not soon enough.
    """

    def is_true() -> bool:
        try:
            return bool(page.evaluate(expression, argument))
        except Error as error:
            if "context" in error.message:  # of a page that has been left
                return False
            raise

    wait_for(is_true, expression)
