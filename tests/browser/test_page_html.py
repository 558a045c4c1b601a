"""An event that carries HTML changes the page by itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from corkboard import publish
from tests.harness.chromium import until
from tests.harness.clients import wait_for

if TYPE_CHECKING:
    from tests.browser.conftest import OpenPage
    from tests.harness.orders import Orders

pytestmark = pytest.mark.browser

BODY = '<main><ul id="orders"><li>One</li></ul></main>'


@pytest.mark.parametrize(
    ("swap", "html", "result"),
    [
        (None, "<li>Two</li>", '<main><ul id="orders"><li>Two</li></ul></main>'),
        ("innerHTML", "<li>Two</li>", '<main><ul id="orders"><li>Two</li></ul></main>'),
        ("outerHTML", '<ul id="other"><li>Two</li></ul>', '<main><ul id="other"><li>Two</li></ul></main>'),
        ("outerHTML", "<p>None</p>left", "<main><p>None</p>left</main>"),
        ("beforebegin", "<p>Two</p>", '<main><p>Two</p><ul id="orders"><li>One</li></ul></main>'),
        ("afterbegin", "<li>Two</li>", '<main><ul id="orders"><li>Two</li><li>One</li></ul></main>'),
        ("beforeend", "<li>Two</li>", '<main><ul id="orders"><li>One</li><li>Two</li></ul></main>'),
        ("afterend", "<p>Two</p>", '<main><ul id="orders"><li>One</li></ul><p>Two</p></main>'),
        ("delete", None, "<main></main>"),
    ],
)
def test_html_is_put_where_the_event_says_without_a_request(
    orders: Orders, open_page: OpenPage, swap: str | None, html: str | None, result: str
) -> None:
    orders.body = BODY
    page = open_page()
    orders.asked = []
    data = {"target": "#orders", "swap": swap, "html": html}
    publish("orders", "html", {name: value for name, value in data.items() if value is not None})
    until(page, "(html) => document.querySelector('main').outerHTML === html", result)
    assert orders.asked == []


def test_what_is_typed_stays_when_its_surroundings_are_replaced(orders: Orders, open_page: OpenPage) -> None:
    orders.body = '<form id="form"><p>One</p><input></form>'
    page = open_page()
    page.locator("input").fill("Half")
    publish("orders", "html", {"target": "#form", "html": "<p>Two</p><input>"})
    expect(page.get_by_role("paragraph")).to_have_text("Two")
    page.keyboard.type(" written")
    expect(page.locator("input")).to_have_value("Half written")


def test_a_fragment_without_a_place_is_left_out(orders: Orders, open_page: OpenPage) -> None:
    orders.body = BODY
    page = open_page()
    publish("orders", "html", {"target": "#elsewhere", "html": "lost"})
    publish("orders", "html", {"target": "](", "html": "a mistake"})
    publish("orders", "html", {"target": "li", "html": "Shown"})
    expect(page.get_by_role("listitem")).to_have_text("Shown")


def test_a_fragment_that_comes_while_the_page_is_fetched_is_shown_once(
    orders: Orders, open_page: OpenPage
) -> None:
    """Whether the fetched page has it already or not; inside of live elements and outside."""
    orders.body = '<ul data-live="orders" id="orders"></ul><ol></ol>'
    page = open_page()
    orders.asked = []
    orders.seconds = 1
    publish("orders", "order.placed")
    wait_for(lambda: orders.asked, "a request")
    for target in ("#orders", "ol"):
        publish("orders", "html", {"target": target, "swap": "beforeend", "html": "<li>One</li>"})
    expect(page.get_by_role("listitem")).to_have_count(2)
    page.wait_for_timeout(2500)
    assert len(orders.asked) == 1
    expect(page.get_by_role("listitem")).to_have_count(2)
    # Now the page has the first one, but not the second.
    orders.body = '<ul data-live="orders" id="orders"><li>One</li></ul><ol></ol>'
    publish("orders", "order.placed")
    wait_for(lambda: len(orders.asked) == 2, "a request")
    publish("orders", "html", {"target": "#orders", "swap": "beforeend", "html": "<li>Two</li>"})
    page.wait_for_timeout(2500)
    expect(page.locator("#orders li")).to_have_text(["One", "Two"])
    expect(page.locator("ol li")).to_have_text(["One"])
