"""What somebody who looks at the wall may rely on."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import ConsoleMessage, Error, Page, Response, Route, WebSocketRoute, expect

from tests.harness.chromium import until
from tests.harness.wall import act, edit, note, save, texts, write

if TYPE_CHECKING:
    from tests.browser.conftest import OpenWall, Pin
    from tests.harness.cable import Cable

pytestmark = pytest.mark.browser

SEND = """([action, size]) => {
  const [form, field] = ["form", "input"].map((name) => document.createElement(name));
  Object.assign(field, { name: "text", value: "x".repeat(size) });
  Object.assign(form, { action, method: "post" }).append(field);
  document.body.append(form);
  form.submit();
}"""
HOSTILE = '<img src=x onerror="document.title=\'broken\'"><script>document.title="broken"</script>'


def test_a_note_appears_in_the_other_page_without_reload(open_wall: OpenWall) -> None:
    here, there = open_wall(), open_wall()
    write(here, "Soup is ready")
    expect(note(there, "Soup is ready")).to_be_visible()
    expect(here.get_by_label("New note")).to_have_value("")
    write(there, "Coming!")
    expect(note(here, "Coming!")).to_be_visible()
    expect(here.get_by_role("listitem")).to_have_count(2)
    expect(there.get_by_role("listitem")).to_have_count(2)


def test_ctrl_enter_pins_the_note(open_wall: OpenWall) -> None:
    page = open_wall()
    page.get_by_label("New note").fill("Typed fast")
    page.keyboard.press("Control+Enter")
    expect(note(page, "Typed fast")).to_be_visible()


def test_the_chosen_paper_is_what_others_see(open_wall: OpenWall) -> None:
    here, there = open_wall(), open_wall()
    here.get_by_role("radio", name="plum").check()
    write(here, "On plum")
    expect(note(there, "On plum").get_by_role("article")).to_have_attribute("data-color", "plum")


def test_markup_stays_text(open_wall: OpenWall) -> None:
    here, there = open_wall(), open_wall()
    write(here, HOSTILE)
    for page in (here, there, open_wall()):
        expect(note(page, HOSTILE)).to_be_visible()
        expect(page.locator("#notes :is(img, script)")).to_have_count(0)
        expect(page).not_to_have_title("broken")


def test_an_address_can_be_followed_and_nothing_else_becomes_markup(open_wall: OpenWall) -> None:
    page = open_wall()
    text = "See https://example.org/a?b=c&d=<b>. Or (http://example.org), not javascript:alert(1)"
    write(page, text)
    expect(texts(page)).to_have_text(text)
    links = texts(page).get_by_role("link")
    expect(links).to_have_text(["https://example.org/a?b=c&d=", "http://example.org"])
    for link in links.all():
        expect(link).to_have_attribute("rel", "noopener noreferrer")
        expect(link).to_have_attribute("href", link.inner_text())


def test_the_title_counts_what_came_while_the_page_was_hidden(open_wall: OpenWall, pin: Pin) -> None:
    page = open_wall()
    title = page.title()
    page.evaluate("Object.defineProperty(document, 'hidden', {value: true, configurable: true})")
    pin("One")
    pin("Two")
    expect(page).to_have_title(f"(2) {title}")
    page.evaluate("delete document.hidden; document.dispatchEvent(new Event('visibilitychange'))")
    expect(page).to_have_title(title)


def test_line_breaks_are_kept(open_wall: OpenWall, pin: Pin) -> None:
    pin("one\n  two")
    page = open_wall()
    assert texts(page).inner_text() == "one\n  two"


def test_no_console_message_and_no_csp_violation(open_wall: OpenWall) -> None:
    said: list[str] = []

    def listen(page: Page) -> None:
        def on_console(message: ConsoleMessage) -> None:
            if message.type in ("error", "warning"):
                said.append(message.text)

        def on_error(error: Error) -> None:
            said.append(str(error))

        page.on("console", on_console)
        page.on("pageerror", on_error)
        page.add_init_script(
            "addEventListener('securitypolicyviolation', (e) => console.error(e.violatedDirective))"
        )

    page = open_wall(prepare=listen, reduced_motion="no-preference", service_workers="allow")
    write(page, "Quiet")
    expect(note(page, "Quiet")).to_be_visible()
    expect(page.get_by_text("Waiting to be sent")).to_have_count(0)
    edit(page, "Quiet", HOSTILE)
    save(page)
    act(page, "Done", HOSTILE)
    act(page, "Paper", HOSTILE)
    page.get_by_role("button", name="plum").click()
    page.get_by_label("Search notes").fill("img")
    expect(note(page, HOSTILE)).to_be_visible()
    act(page, "Delete", HOSTILE)
    page.get_by_role("button", name="Undo").click()
    expect(note(page, HOSTILE)).to_be_visible()
    expect(page.get_by_text("Waiting to be sent")).to_have_count(0)
    assert said == []


def test_a_page_whose_connection_was_cut_shows_what_it_missed(
    open_wall: OpenWall, pin: Pin, cable: Cable
) -> None:
    page = open_wall(cable.base_url)
    pin("Before")
    expect(note(page, "Before")).to_be_visible()
    cable.cut()
    expect(page.get_by_text("Reconnecting", exact=True)).to_be_visible()
    pin("Meanwhile 1")
    pin("Meanwhile 2")
    cable.mend()
    expect(page.get_by_text("Live", exact=True)).to_be_visible(timeout=30_000)
    expect(texts(page)).to_have_text(["Meanwhile 2", "Meanwhile 1", "Before"])


def test_a_page_that_is_told_of_lost_events_fetches_the_list_again(open_wall: OpenWall, pin: Pin) -> None:
    sockets: list[WebSocketRoute] = []

    def lossy(socket: WebSocketRoute) -> None:
        server = socket.connect_to_server()

        def pass_on(message: str | bytes) -> None:
            if "Lost on the way" not in str(message):
                socket.send(message)

        server.on_message(pass_on)
        sockets.append(socket)

    page = open_wall(prepare=lambda page: page.route_web_socket(re.compile("/ws$"), lossy))
    pin("Lost on the way")
    topic = f"board:{page.locator('body').get_attribute('data-board')}"
    with page.expect_response("**/api/notes*"):
        sockets[0].send(
            json.dumps({"op": "subscribed", "topic": topic, "cursor": "other-7", "recovered": False})
        )
    expect(note(page, "Lost on the way")).to_be_visible()
    pin("Live again")
    expect(note(page, "Live again")).to_be_visible()
    expect(page.get_by_role("listitem")).to_have_count(2)


def test_text_that_cannot_be_pinned_is_kept_and_the_reason_shown(open_wall: OpenWall) -> None:
    page = open_wall()
    write(page, "x" * 2001)
    expect(page.locator("#message")).to_contain_text("at most 2000 characters")
    expect(page.get_by_label("New note")).to_have_value("x" * 2001)
    write(page, "Short enough")
    expect(note(page, "Short enough")).to_be_visible()
    expect(page.locator("#message")).to_have_text("")


def test_a_note_tried_again_after_a_lost_answer_is_pinned_once(open_wall: OpenWall) -> None:
    page = open_wall()

    def lose_answer(route: Route) -> None:
        route.fetch()
        route.abort()

    page.route("**/api/notes", lose_answer, times=1)
    with page.expect_event("requestfailed", lambda request: request.method == "POST"):
        write(page, "Only once")
    expect(page.locator("#message")).to_have_text("")
    page.reload()
    expect(note(page, "Only once")).to_have_count(1)


def test_older_notes_come_with_scrolling(open_wall: OpenWall, pin: Pin) -> None:
    for number in range(60):
        pin(f"Note number {number}")
    page = open_wall()
    expect(note(page, "Note number 59")).to_be_visible()
    while not note(page, "Note number 0").is_visible():
        page.mouse.wheel(0, 2000)
        page.wait_for_timeout(50)
    expect(page.get_by_role("listitem")).to_have_count(60)
    expect(page.get_by_role("button", name="Show older notes")).to_be_hidden()


@pytest.mark.parametrize("width", [390, 1280, 1920])
def test_nothing_is_wider_than_the_window(open_wall: OpenWall, pin: Pin, width: int) -> None:
    pin("W" * 300)
    page = open_wall()
    page.set_viewport_size({"width": width, "height": 800})
    expect(note(page, "W" * 300)).to_be_visible()
    # The wall lays itself out anew when it hears of the new size.
    fits = "width => document.documentElement.scrollWidth <= width"
    until(page, fits, width)


def test_an_empty_wall_says_so_until_the_first_note(open_wall: OpenWall) -> None:
    page = open_wall()
    expect(page.get_by_text("Nothing pinned yet.")).to_be_visible()
    write(page, "First!")
    expect(page.get_by_text("Nothing pinned yet.")).to_be_hidden()


def test_whoever_goes_astray_gets_a_page_and_capitals_lead_to_the_board(open_wall: OpenWall) -> None:
    page = open_wall(locale="de-DE")

    def send(action: str, size: int) -> Response | None:
        """As a form of another page does it."""
        page.goto("/b/kitchen")
        with page.expect_navigation() as answer:
            page.evaluate(SEND, [action, size])
        return answer.value

    page.goto("/b/Kitchen")
    expect(page).to_have_url(re.compile("/b/kitchen$"))
    for come, status, title in (
        (lambda: page.goto("/b/a_b"), 404, "Nicht gefunden"),
        (lambda: page.goto("/static/nowhere.js"), 404, "Nicht gefunden"),
        (lambda: send("/", 1), 405, "So nicht erlaubt"),
        (lambda: send("/api/notes", 70_000), 413, "Zu groß"),
    ):
        answer = come()
        assert answer
        assert answer.status == status
        expect(page.get_by_role("heading", name=title)).to_be_visible()
