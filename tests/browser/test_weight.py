"""A wall that is light to load, and stays light with many notes and much going on."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import Page, Request, Route, expect

from tests.harness.chromium import until
from tests.harness.wall import act, note, texts, write

if TYPE_CHECKING:
    from tests.browser.conftest import OpenWall, Pin

pytestmark = pytest.mark.browser

MANY = 700


def settle(page: Page) -> None:
    """Waits until the page has drawn what it was told, however busy the machine is."""
    page.wait_for_timeout(30)
    page.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")


@pytest.fixture
def many(pin: Pin) -> None:
    """A board with many notes."""
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(pin, (f"Number {number}" for number in range(MANY))))


def test_the_first_view_is_light(open_wall: OpenWall, many: None) -> None:  # noqa: ARG001
    requests: list[Request] = []

    def listen(page: Page) -> None:
        page.on("requestfinished", lambda request: requests.append(request))

    page = open_wall(prepare=listen, share=True)
    expect(texts(page)).to_have_count(50)
    sizes = {request.url: request.sizes() for request in requests}
    bytes_of = {url: size["responseBodySize"] + size["responseHeadersSize"] for url, size in sizes.items()}
    # The page, its style, two scripts, the list, and the client; headers are counted.
    assert len(requests) <= 7, sorted(sizes)
    assert sum(bytes_of.values()) < 30_000, bytes_of


@pytest.mark.parametrize("script", ["start.js", "main.js"])
def test_a_page_without_its_script_says_so(open_wall: OpenWall, script: str) -> None:
    page = open_wall(prepare=lambda page: page.route(f"**/{script}", lambda route: route.abort()), wait=False)
    expect(page.get_by_role("alert")).to_contain_text("has not come through")
    # Nothing that is sent too early leads away from the board.
    page.get_by_label("New note").fill("Too early")
    page.get_by_role("radio", name="plum").press("Enter")
    expect(page.get_by_role("button", name="Pin it")).to_be_disabled()
    expect(page.locator("#finder")).to_have_js_property("action", page.url)
    page.unroute_all()
    if script == "start.js":
        page.get_by_role("link", name="Load the page again").click()
    expect(page.get_by_text("Live", exact=True)).to_be_visible()
    write(page, "It came by itself")
    expect(texts(page)).to_have_text(["It came by itself"])
    expect(page.get_by_role("alert")).to_have_count(0)


def test_a_page_of_a_version_that_is_gone_is_loaded_anew_once_a_minute(open_wall: OpenWall) -> None:
    pages = 0
    outdated = True

    def answer(route: Route) -> None:
        """Of the version before, as if something in between kept it."""
        nonlocal pages
        pages += 1
        page = route.fetch()
        route.fulfill(response=page, body=re.sub("/static/[0-9a-f]+/", "/static/0123456789ab/", page.text()))

    def prepare(page: Page) -> None:
        page.clock.install()
        page.route(
            lambda _: outdated,
            lambda route: answer(route) if route.request.is_navigation_request() else route.continue_(),
        )

    page = open_wall(prepare=prepare, wait=False)
    # The second one is as old as the first: a person has to see that.
    expect(page.get_by_text("has not come through")).to_be_visible()
    with page.expect_request("**/0123456789ab/main.js"):
        page.clock.fast_forward(10_000)
    assert pages == 2
    # Or replicas of the old version answer beside the new ones, but not for long.
    with page.expect_navigation():
        page.clock.fast_forward(60_000)
    assert pages == 3
    outdated = False
    page.get_by_role("link", name="Load the page again").click()
    expect(page.get_by_text("Live", exact=True)).to_be_visible()
    # A part that is loaded later may be gone as well.
    page.evaluate("sessionStorage.clear()")
    page.route("**/static/*/undo.js", lambda route: route.fulfill(status=404), times=1)
    page.route(
        lambda url: url == page.url,
        lambda route: route.fulfill(body="another version", content_type="text/html"),
        times=1,
    )
    page.evaluate("globalThis.isOld = true")
    write(page, "Still here")
    act(page, "Done", "Still here")
    until(page, "!globalThis.isOld")
    expect(texts(page)).to_have_text(["Still here"])


def test_what_could_not_be_loaded_when_it_was_needed_is_loaded_when_it_is_needed_again(
    open_wall: OpenWall, pin: Pin
) -> None:
    pin("Ticked")
    # A part that another part imports.
    page = open_wall(prepare=lambda page: page.route("**/undo.js", lambda route: route.abort()))
    act(page, "Done", "Ticked")
    expect(page.locator("#message")).to_have_text("The server does not answer. Try again in a moment.")
    page.unroute_all(behavior="wait")
    act(page, "Done", "Ticked")
    expect(page.get_by_role("button", name="Done: Ticked")).to_have_attribute("aria-pressed", "true")
    expect(page.get_by_text("Ticked off.")).to_be_visible()


def test_a_big_board_is_read_to_its_end_and_only_the_neighbourhood_is_in_the_page(
    open_wall: OpenWall,
    many: None,  # noqa: ARG001
) -> None:
    page = open_wall()
    seen: set[str] = set()
    more = page.get_by_role("button", name="Show older notes")
    while more.is_visible() or page.evaluate("scrollY + innerHeight < document.body.scrollHeight - 5"):
        page.mouse.wheel(0, 600)
        settle(page)
        seen |= set(texts(page).all_inner_texts())
    assert len(seen) == MANY
    assert texts(page).count() < 200
    assert page.get_by_role("listitem").last.get_attribute("aria-setsize") == str(MANY)


def test_nothing_moves_under_the_eyes_of_somebody_who_reads_further_down(
    open_wall: OpenWall,
    pin: Pin,
    many: None,  # noqa: ARG001
) -> None:
    page, other = open_wall(), open_wall()
    for _ in range(6):
        page.mouse.wheel(0, 500)
        settle(page)
    where = (
        "[...document.querySelectorAll('#notes .cell')].filter((cell) => {const {top, bottom} = "
        "cell.getBoundingClientRect(); return top > 0 && bottom < innerHeight}).map((cell) => "
        "cell.querySelector('.text').textContent + cell.getBoundingClientRect().top).sort()"
    )
    before, last = page.evaluate(where), None
    while before != last:
        page.wait_for_timeout(500)
        before, last = page.evaluate(where), before
    assert before
    moved = page.evaluate(
        "[...document.querySelectorAll('#notes .cell')].map((cell) => [cell.getBoundingClientRect().top, "
        "cell.dataset.id, cell.querySelector('.text').textContent]).find(([top]) => top > 100)"
    )
    assert page.request.patch(f"/api/notes/{moved[1]}", data={"position": "zz"}).ok
    pin("Fresh")
    expect(texts(other).first).to_have_text(moved[2])
    newest = texts(other).nth(3).inner_text()
    other.get_by_role("button", name=f"Delete: {newest}", exact=True).focus()
    other.keyboard.press("Enter")
    expect(page.get_by_role("button", name="1 new note")).to_be_visible()
    expect(note(other, newest)).to_have_count(0)
    assert page.evaluate(where) == before
    page.get_by_role("button", name="1 new note").click()
    expect(note(page, "Fresh")).to_be_visible()
    expect(texts(page).first).to_have_text(moved[2])
    expect(page.get_by_role("button", name="1 new note")).to_be_hidden()


def test_writing_on_a_big_board_is_shown_at_once(open_wall: OpenWall, many: None) -> None:  # noqa: ARG001
    page = open_wall()
    page.evaluate("scrollTo(0, document.body.scrollHeight)")
    page.evaluate("scrollTo(0, 0)")
    # At once: the server is not even asked.
    page.route("**/api/notes", lambda _: None)
    write(page, "On top")
    expect(texts(page).first).to_have_text("On top")
    page.unroute_all(behavior="ignoreErrors")
