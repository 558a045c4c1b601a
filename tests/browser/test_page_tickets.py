"""A page listens for as long as its viewer may see it: to renew the ticket is to fetch the page again."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING, NamedTuple

import pytest
from flask import Response
from playwright.sync_api import Page, Request, WebSocket, expect
from werkzeug.utils import redirect

from corkboard import publish, revoke
from tests.harness.cable import Cable
from tests.harness.clients import wait_for
from tests.harness.orders import LOOK, expect_status

if TYPE_CHECKING:
    from tests.browser.conftest import OpenPage
    from tests.harness.local import LocalStack
    from tests.harness.orders import Orders

pytestmark = pytest.mark.browser

BLOCKED = {"websocket": (), "sse": ("/ws",), "poll": ("/ws", "/ws/events")}
TICKET_SECONDS = 10  # the shortest

# Says in the title by what the page is connected.
SHOW_TRANSPORT = (
    "document.addEventListener('realtime:status', ({ detail }) => (document.title = detail.transport ?? ''))"
)


class Ears:
    """All that a page asked the sidecar for."""

    def __init__(self) -> None:
        self.sockets: list[str] = []
        self.requests: list[Request] = []

    def attach(self, page: Page) -> None:
        def on_socket(socket: WebSocket) -> None:
            self.sockets.append(socket.url)

        def on_request(request: Request) -> None:
            if re.search("/ws/(events|poll)", request.url):
                self.requests.append(request)

        page.on("websocket", on_socket)
        page.on("request", on_request)

    def __len__(self) -> int:
        return len(self.sockets) + len(self.requests)


@pytest.fixture
def secret(orders: Orders) -> Orders:
    """A page that listens to what nobody may hear without a ticket."""
    orders.topics = ["user:7"]
    orders.subject = "7"
    orders.script = SHOW_TRANSPORT
    orders.body = '<p data-live="user:7">1</p>'
    return orders


class Listener(NamedTuple):
    """A page that is connected in one way, and what it asks for."""

    page: Page
    ears: Ears


@pytest.fixture
def listen(front: LocalStack, open_page: OpenPage) -> Iterator[Callable[[], dict[str, Listener]]]:
    """Opens the page once by each transport."""
    with ExitStack() as cables:

        def open_all() -> dict[str, Listener]:
            opened = {}
            for transport, blocked in BLOCKED.items():
                cable = cables.enter_context(Cable(front.base_url))
                cable.block(*blocked)
                ears = Ears()
                opened[transport] = Listener(open_page(cable.base_url, prepare=ears.attach), ears)
                expect(opened[transport].page).to_have_title(transport, timeout=30_000)
            return opened

        yield open_all


def test_the_ticket_of_the_page_opens_its_topics_and_each_page_knows_how_many_listen(
    secret: Orders, listen: Callable[[], dict[str, Listener]]
) -> None:
    secret.script += (
        ";document.addEventListener('realtime:presence', ({ detail: { topic, count } }) =>"
        " (document.documentElement.dataset.people = `${topic} ${count}`))"
    )
    listeners = listen().values()
    for page, _ in listeners:
        expect(page.locator("html")).to_have_attribute("data-people", "user:7 3", timeout=30_000)
    secret.body = '<p data-live="user:7">2</p>'
    publish("user:7", "order.shipped")
    for page, ears in listeners:
        expect(page.get_by_role("paragraph")).to_have_text("2")
        # A header where a page can send one: addresses get into logs.
        assert all("ticket=" in url for url in ears.sockets)
        assert all("ticket" not in request.url for request in ears.requests)
        assert all(request.headers["authorization"].startswith("Bearer ") for request in ears.requests)


def test_an_expired_ticket_is_renewed_by_fetching_the_page_and_no_event_is_lost(
    secret: Orders, listen: Callable[[], dict[str, Listener]], monkeypatch: pytest.MonkeyPatch
) -> None:
    secret.script += (
        ";let heard = 0; document.addEventListener('realtime', (event) => {"
        "event.preventDefault(); document.documentElement.dataset.heard = heard += 1; })"
    )
    monkeypatch.setenv("CORKBOARD_TICKET_SECONDS", str(TICKET_SECONDS))
    listeners = listen()
    monkeypatch.delenv("CORKBOARD_TICKET_SECONDS")
    secret.asked, secret.answer = [], Response("Busy.", 503)
    # The first ones wait until the page is fetched after all, and some come meanwhile.
    for number in range(1, 50):
        publish("user:7", "order.shipped")
        listeners["poll"].page.wait_for_timeout(400)
        if len(secret.asked) >= len(listeners) and number % 10 == 0:
            break
    secret.body, secret.answer = '<p data-live="user:7">2</p>', None
    for transport, (page, ears) in listeners.items():
        expect(page.get_by_role("paragraph")).to_have_text("2", timeout=30_000)
        expect(page.locator("html")).to_have_attribute("data-heard", str(number), timeout=30_000)
        expect(page).to_have_title(transport)
        tickets = {request.headers["authorization"] for request in ears.requests} | set(ears.sockets)
        assert len(tickets) >= 2


ANSWERS = {
    "login": lambda: redirect("/login"),
    "unauthorized": lambda: Response("Who are you?", 401),
    "forbidden": lambda: Response("Not for you.", 403),
    "gone": lambda: Response("Not here.", 404),
    "nothing to listen to": lambda: Response("<h1>Hello</h1>"),
}


@pytest.mark.parametrize("answer", ANSWERS)
def test_somebody_who_may_not_see_the_page_any_more_stops_listening(
    secret: Orders, open_page: OpenPage, answer: str
) -> None:
    ears = Ears()
    page = open_page(prepare=ears.attach)
    secret.answer = ANSWERS[answer]()
    publish("user:7", "order.shipped")
    expect_status(page, "stopped")
    before = len(ears)
    secret.asked = []
    secret.answer = None
    secret.body = '<p data-live="user:7">2</p>'
    publish("user:7", "order.shipped")
    page.evaluate("dispatchEvent(new Event('online'))")
    page.wait_for_timeout(2000)
    expect(page.get_by_role("paragraph")).to_have_text("1")
    assert len(ears) == before
    assert secret.asked == []


def test_a_page_in_the_background_renews_its_ticket_too(
    secret: Orders, open_page: OpenPage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its title or a sound may tell of events."""
    secret.script += "; document.addEventListener('realtime', ({ detail }) => (document.title = detail.type))"
    monkeypatch.setenv("CORKBOARD_TICKET_SECONDS", str(TICKET_SECONDS))
    page = open_page()
    monkeypatch.delenv("CORKBOARD_TICKET_SECONDS")
    page.evaluate(LOOK % "true")
    secret.asked = []
    wait_for(lambda: secret.asked, "the page is fetched again")
    publish("user:7", "order.shipped")
    expect(page).to_have_title("order.shipped")
    assert len(secret.asked) == 1


def test_an_expired_ticket_of_somebody_who_was_logged_out_ends_it(
    secret: Orders, listen: Callable[[], dict[str, Listener]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CORKBOARD_TICKET_SECONDS", str(TICKET_SECONDS))
    listeners = listen()
    secret.answer = redirect("/login")
    for page, _ in listeners.values():
        expect_status(page, "stopped")


@pytest.mark.usefixtures("secret")
def test_somebody_whose_tickets_were_revoked_stops_listening(open_page: OpenPage) -> None:
    page = open_page()
    revoke("7")
    expect_status(page, "stopped")
