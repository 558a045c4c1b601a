"""Tabs of one browser share a connection, and each gets what it would get over one of its own."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.harness.wall import note, texts, write

if TYPE_CHECKING:
    from tests.browser.conftest import OpenWall, Pin

pytestmark = pytest.mark.browser

NOTES = 40


@contextmanager
def stream(pin: Pin) -> Iterator[threading.Event]:
    """Somebody pins 40 notes; the event says that a third of them is there."""
    begun = threading.Event()

    def work() -> None:
        for number in range(NOTES):
            pin(f"Number {number}")
            if number == NOTES // 3:
                begun.set()

    worker = threading.Thread(target=work)
    worker.start()
    try:
        yield begun
    finally:
        worker.join()


def expect_all(page: Page) -> None:
    """Each note once, and in order."""
    expect(texts(page)).to_have_text([f"Number {number}" for number in reversed(range(NOTES))])


def second(page: Page) -> Page:
    """Another tab of the same browser, with the same board."""
    other = page.context.new_page()
    other.goto(page.url)
    expect(other.get_by_text("Live", exact=True)).to_be_visible()
    return other


def test_two_tabs_are_one_connection_and_one_of_them_may_close(open_wall: OpenWall, pin: Pin) -> None:
    one = open_wall(share=True)
    other = second(one)
    for tab in (one, other):
        expect(tab.locator("#people")).to_have_text("Only you here")
        expect(tab.get_by_text("WebSocket", exact=True)).to_be_visible()
    stranger = open_wall(share=True)
    for tab in (one, other, stranger):
        expect(tab.locator("#people")).to_have_text("2 people here")
    with stream(pin) as begun:
        begun.wait()
        one.close()
    for tab in (other, stranger):
        expect_all(tab)
    late = second(other)
    write(late, "From the third tab")
    for tab in (other, late, stranger):
        expect(texts(tab)).to_have_count(NOTES + 1)
        expect(note(tab, "From the third tab")).to_have_count(1)


def test_a_tab_that_is_frozen_or_put_aside_misses_nothing_and_holds_up_nobody(
    open_wall: OpenWall, pin: Pin
) -> None:
    one = open_wall(share=True)
    other = second(one)
    session = one.context.new_cdp_session(one)
    with stream(pin) as begun:
        begun.wait()
        session.send("Page.setWebLifecycleState", {"state": "frozen"})
    expect_all(other)
    session.send("Page.setWebLifecycleState", {"state": "active"})
    expect_all(one)
    one.goto("about:blank")
    pin("While it was away")
    expect(note(other, "While it was away")).to_be_visible()
    one.go_back()
    expect(note(one, "While it was away")).to_be_visible()
    expect(one.get_by_text("Live", exact=True)).to_be_visible()


def test_a_worker_that_dies_is_replaced(open_wall: OpenWall, pin: Pin, chromium: Browser) -> None:
    one = open_wall(share=True)
    other = second(one)
    context = one.context.new_cdp_session(one).send("Target.getTargetInfo")["targetInfo"]["browserContextId"]
    session = chromium.new_browser_cdp_session()
    workers = [
        target["targetId"]
        for target in session.send("Target.getTargets", {"filter": [{}]})["targetInfos"]
        if target["type"] == "shared_worker" and target.get("browserContextId") == context
    ]
    assert len(workers) == 1
    attached = session.send("Target.attachToTarget", {"targetId": workers[0], "flatten": False})
    end = {"id": 1, "method": "Runtime.evaluate", "params": {"expression": "close()"}}
    to = {"sessionId": attached["sessionId"], "message": json.dumps(end)}
    session.send("Target.sendMessageToTarget", to)
    pin("After the end")
    # It is missed after 23 s at most.
    for tab in (one, other):
        expect(note(tab, "After the end")).to_be_visible(timeout=45_000)
        expect(tab.get_by_text("Live", exact=True)).to_be_visible()
        expect(tab.locator("#people")).to_have_text("Only you here", timeout=45_000)
