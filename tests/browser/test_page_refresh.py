"""A page that a server renders follows its topics: what is fetched again, when, and what is left alone."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest
from flask import Response
from playwright.sync_api import Browser, ConsoleMessage, Page, expect

from corkboard import publish
from tests.harness.chromium import ARGS, find_chromium
from tests.harness.clients import wait_for
from tests.harness.orders import LOOK, expect_status

if TYPE_CHECKING:
    from tests.browser.conftest import OpenPage
    from tests.harness.cable import Cable
    from tests.harness.local import LocalStack
    from tests.harness.orders import Orders

pytestmark = pytest.mark.browser

LIST = '<h1>Orders</h1><ul data-live="orders"><li>One</li></ul>'
MORE = '<h1>Changed</h1><ul data-live="orders"><li>One</li><li>Two</li></ul>'


def items(page: Page) -> list[str]:
    return page.get_by_role("listitem").all_inner_texts()


def test_an_event_shows_the_new_list_and_leaves_the_rest_alone(orders: Orders, open_page: OpenPage) -> None:
    orders.body = LIST
    pages = [open_page(), open_page()]
    orders.body = MORE
    publish("orders", "order.placed", {"id": 2})
    for page in pages:
        expect(page.get_by_role("listitem")).to_have_text(["One", "Two"])
        expect(page.get_by_role("heading")).to_have_text("Orders")


def test_it_works_under_a_strict_policy_without_a_word_on_the_console(
    orders: Orders, open_page: OpenPage
) -> None:
    said: list[str] = []

    def listen(page: Page) -> None:
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))

    orders.body = LIST
    page = open_page(prepare=listen)
    orders.body = MORE
    publish("orders", "order.placed")
    publish("orders", "html", {"target": "h1", "html": "From <em>afar</em>"})
    expect(page.get_by_role("listitem")).to_have_count(2)
    expect(page.get_by_role("heading")).to_have_text("From afar")
    assert said == []


@pytest.mark.parametrize(
    ("live", "follows"), [("orders", False), ("users", True), ("orders users", True), ("", True)]
)
def test_a_live_element_follows_its_topics_and_one_without_any_follows_all(
    orders: Orders, open_page: OpenPage, live: str, follows: bool
) -> None:
    orders.topics = ["orders", "users"]
    orders.body = f'<p data-live="{live}">One</p>'
    page = open_page()
    orders.body = f'<p data-live="{live}">Two</p>'
    orders.asked = []
    publish("users", "user.renamed")
    if follows:
        expect(page.get_by_role("paragraph")).to_have_text("Two")
    else:
        page.wait_for_timeout(1500)
        assert orders.asked == []


def test_elements_are_found_again_by_id_or_else_by_topics_and_order(
    orders: Orders, open_page: OpenPage
) -> None:
    orders.topics = ["orders", "users"]
    orders.body = (
        '<p data-live="orders" id=a>a</p><p data-live="orders" id=b>b</p>'
        '<p data-live="users">c</p><p data-live="orders">d</p><p data-live="orders">e</p>'
        '<p data-live="gone">f</p>'
    )
    page = open_page()
    orders.body = (
        '<p data-live="orders">D</p><p data-live="orders" id=b>B</p><p data-live="orders" id=a>A</p>'
        '<p data-live="orders">E</p><p data-live="users">C</p>'
    )
    publish("orders", "order.placed")
    expect(page.get_by_role("paragraph")).to_have_text(["A", "B", "C", "D", "E", "f"])


def test_fifty_events_in_a_second_are_one_request_and_one_more(orders: Orders, open_page: OpenPage) -> None:
    orders.body = '<p data-live="orders">0</p>'
    page = open_page()
    orders.asked = []
    began = time.monotonic()
    for number in range(50):
        time.sleep(max(0, began + number * 0.018 - time.monotonic()))
        orders.body = f'<p data-live="orders">{number + 1}</p>'
        publish("orders", "order.placed")
    expect(page.get_by_role("paragraph")).to_have_text("50")
    page.wait_for_timeout(2000)
    assert len(orders.asked) <= 2


def test_a_lone_viewer_sees_it_at_once(orders: Orders, open_page: OpenPage) -> None:
    orders.body = LIST
    page = open_page()
    page.wait_for_timeout(2500)  # the server says how many listen
    orders.asked = []
    published = time.monotonic()
    publish("orders", "order.placed")
    wait_for(lambda: orders.asked, "a request")
    assert orders.asked[0] - published < 0.5


def test_there_is_one_request_at_a_time_and_what_came_meanwhile_is_one_more(
    orders: Orders, open_page: OpenPage
) -> None:
    orders.body = '<p data-live="orders">0</p>'
    page = open_page()
    orders.asked = []
    orders.seconds = 1.5
    publish("orders", "order.placed")
    wait_for(lambda: orders.asked, "a request")
    orders.body = '<p data-live="orders">1</p>'
    for _ in range(20):
        publish("orders", "order.placed")
    wait_for(lambda: len(orders.asked) == 2, "a second request")
    assert orders.asked[1] - orders.asked[0] >= 1.4
    expect(page.get_by_role("paragraph")).to_have_text("1")
    page.wait_for_timeout(2000)
    assert len(orders.asked) == 2


def test_what_the_page_shows_already_is_not_asked_for_again(orders: Orders, open_page: OpenPage) -> None:
    """The cursors that come with a page say which events it has seen."""
    orders.body = '<p data-live="orders">0</p>'
    page = open_page()
    orders.asked = []

    # Ten events, before the page is made and after it was asked for.
    listening = orders.topics

    class Late(list[str]):
        def __iter__(self):  # type: ignore[no-untyped-def]
            if not orders.asked:
                for _ in range(10):
                    publish("orders", "order.placed")
            orders.body = '<p data-live="orders">11</p>'
            return super().__iter__()

    orders.topics = Late(listening)
    publish("orders", "order.placed")
    expect(page.get_by_role("paragraph")).to_have_text("11")
    page.wait_for_timeout(2500)
    assert len(orders.asked) == 1


def test_an_app_that_fails_is_asked_again_later_and_as_it_said(orders: Orders, open_page: OpenPage) -> None:
    orders.body = LIST
    page = open_page()
    orders.asked = []
    orders.answer = Response("Busy.", 503, {"Retry-After": "3"})
    publish("orders", "order.placed")
    wait_for(lambda: len(orders.asked) == 1, "a request")
    orders.body, orders.answer = MORE, None
    expect(page.get_by_role("listitem")).to_have_count(2)
    assert orders.asked[1] - orders.asked[0] >= 3
    expect_status(page, "live")


def test_an_app_that_keeps_failing_is_asked_less_and_less(orders: Orders, open_page: OpenPage) -> None:
    orders.body = LIST
    open_page()
    orders.asked = []
    orders.answer = Response("Broken.", 500)
    for _ in range(60):
        publish("orders", "order.placed")
        time.sleep(0.1)
    assert 2 <= len(orders.asked) <= 10


def test_a_page_that_nobody_looks_at_waits_until_somebody_does(orders: Orders, open_page: OpenPage) -> None:
    orders.body = LIST
    page = open_page()
    page.evaluate(LOOK % "true")
    orders.asked = []
    orders.body = MORE
    publish("orders", "order.placed")
    page.wait_for_timeout(1500)
    assert orders.asked == []
    page.evaluate(LOOK % "false")
    expect(page.get_by_role("listitem")).to_have_count(2)
    assert len(orders.asked) == 1


def test_a_page_may_act_by_itself(orders: Orders, open_page: OpenPage) -> None:
    orders.body = LIST
    orders.script = (
        "document.addEventListener('realtime', (event) => { event.preventDefault();"
        "document.querySelector('h1').textContent = `${event.detail.type} ${event.detail.data.id}`; });"
    )
    page = open_page()
    orders.asked = []
    publish("orders", "order.placed", {"id": 7})
    expect(page.get_by_role("heading")).to_have_text("order.placed 7")
    publish("orders", "html", {"target": "ul", "html": "gone"})
    page.wait_for_timeout(1500)
    assert items(page) == ["One"]
    assert orders.asked == []


def test_a_page_is_told_how_it_is_connected(orders: Orders, open_page: OpenPage, front_cable: Cable) -> None:
    orders.script = (
        "document.addEventListener('realtime:status', ({ detail: { status, transport } }) =>"
        " (document.title += ` ${status}/${transport}`));"
    )
    page = open_page(front_cable.base_url)
    front_cable.cut()
    expect_status(page, "connecting")
    front_cable.mend()
    expect_status(page, "live")
    assert page.title().split()[-2:] == ["connecting/null", "live/websocket"]


def test_a_page_that_was_made_without_redis_catches_up_once_it_is_connected(
    orders: Orders, open_page: OpenPage, monkeypatch: pytest.MonkeyPatch
) -> None:
    orders.body = LIST
    with monkeypatch.context() as patch:
        patch.setenv("CORKBOARD_URL", "redis://app:nobody@127.0.0.1:9/0")
        page = open_page(wait=False)
    orders.asked = []
    orders.body = MORE
    expect(page.get_by_role("listitem")).to_have_count(2)
    page.wait_for_timeout(2500)
    assert len(orders.asked) == 1
    orders.body = LIST
    publish("orders", "order.cancelled")
    expect(page.get_by_role("listitem")).to_have_count(1)


def test_a_page_whose_events_were_lost_is_fetched_once(
    orders: Orders, open_page: OpenPage, front: LocalStack
) -> None:
    orders.topics = ["orders", "users"]
    orders.body = LIST
    orders.script = "document.addEventListener('realtime:resync', () => (document.title = 'Lost'))"
    page = open_page()
    publish("orders", "order.placed")
    publish("users", "user.renamed")
    page.wait_for_timeout(2500)
    orders.asked = []
    orders.body = MORE
    front.redis_cli("FLUSHALL")
    publish("orders", "order.placed")
    publish("users", "user.renamed")
    expect(page.get_by_role("listitem")).to_have_count(2)
    assert page.title() == "Lost"
    page.wait_for_timeout(3000)
    assert len(orders.asked) <= 2


def test_a_page_that_was_offline_catches_up(orders: Orders, open_page: OpenPage) -> None:
    orders.body = LIST
    page = open_page()
    page.context.set_offline(True)
    expect_status(page, "offline")
    orders.body = MORE
    publish("orders", "order.placed")
    page.context.set_offline(False)
    expect(page.get_by_role("listitem")).to_have_count(2)


def test_a_page_follows_what_it_newly_listens_to(orders: Orders, open_page: OpenPage) -> None:
    orders.body = "<p data-live>1</p>"
    page = open_page()
    orders.topics = ["users"]
    orders.body = "<p data-live>2</p>"
    publish("orders", "order.placed")
    expect(page.get_by_role("paragraph")).to_have_text("2")
    orders.body = "<p data-live>3</p>"
    publish("users", "user.renamed")
    expect(page.get_by_role("paragraph")).to_have_text("3")
    orders.asked = []
    publish("orders", "order.placed")
    page.wait_for_timeout(1500)
    assert orders.asked == []


def test_of_two_scripts_the_first_one_counts_and_the_console_says_so(
    orders: Orders, open_page: OpenPage
) -> None:
    said: list[str] = []

    def listen(page: Page) -> None:
        def on_console(message: ConsoleMessage) -> None:
            said.append(message.text)

        page.on("console", on_console)

    orders.body = (
        '<p data-live>1</p><script type="module" src="/ws/client/page.js" data-realtime="{}"></script>'
    )
    page = open_page(prepare=listen)
    orders.body = orders.body.replace("1", "2")
    publish("orders", "order.placed")
    expect(page.get_by_role("paragraph")).to_have_text("2")
    assert len(said) == 1
    assert "only the first script" in said[0]


def test_the_way_back_leads_to_what_is_there_now(orders: Orders, open_page: OpenPage) -> None:
    orders.body = LIST
    page = open_page()
    page.goto("/elsewhere")
    orders.body = MORE
    publish("orders", "order.placed")
    page.go_back()
    expect(page.get_by_role("listitem")).to_have_count(2)
    expect_status(page, "live")
    page.go_forward()
    page.go_back()
    orders.body = LIST
    publish("orders", "order.cancelled")
    expect(page.get_by_role("listitem")).to_have_count(1)


def test_a_page_that_the_browser_kept_for_the_way_back_goes_on(
    orders: Orders, front: LocalStack, chromium: Browser
) -> None:
    orders.body = LIST
    orders.script = "addEventListener('pageshow', ({ persisted }) => (document.title = `kept: ${persisted}`))"
    keeping = chromium.browser_type.launch(
        executable_path=find_chromium(), args=ARGS, ignore_default_args=["--disable-back-forward-cache"]
    )
    try:
        page = keeping.new_page()
        page.goto(f"{front.base_url}/orders")
        expect_status(page, "live")
        page.goto(f"{front.base_url}/elsewhere")
        orders.body = MORE
        publish("orders", "order.placed")
        page.evaluate("setTimeout(() => history.back())")
        expect(page).to_have_title("kept: true")
        expect(page.get_by_role("listitem")).to_have_count(2)
        orders.body = LIST
        publish("orders", "order.cancelled")
        expect(page.get_by_role("listitem")).to_have_count(1)
    finally:
        keeping.close()
