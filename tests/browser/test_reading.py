"""The wall for people who read it in other ways: by key, enlarged, in the system's colours, on paper."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import Page, Route, expect

from tests.harness.chromium import until
from tests.harness.clients import wait_for
from tests.harness.wall import act, note, texts

if TYPE_CHECKING:
    from tests.browser.conftest import OpenWall, Pin

pytestmark = pytest.mark.browser

# The request for what comes after the first notes.
MORE = re.compile(r"/api/notes\?.*&page=")
# What has the focus and cannot be seen where it is.
COVERED = """() => {
  const focused = document.activeElement;
  const { left, top, width, height } = focused.getBoundingClientRect();
  const rail = document.querySelector(".rail");
  if (focused === document.body || rail.contains(focused)) return "";
  for (const y of [top + 2, top + height / 2, top + height - 2]) {
    const seen = document.elementFromPoint(left + width / 2, y);
    const label = seen?.closest("label");
    const isIt = focused.contains(seen) || seen?.contains(focused) || label?.contains(focused);
    if (!isIt)
      return `${focused.outerHTML.slice(0, 80)} at ${Math.round(y)}`;
  }
  return "";
}"""

# Words that are cut off, or stick out of the window.
CUT = """() => [...document.querySelectorAll("body *")].flatMap((element) => {
  const own = [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim());
  if (!own || element.closest(".unseen, script, noscript, template, option") || !element.checkVisibility({
    visibilityProperty: true })) return [];
  const box = element.getBoundingClientRect();
  const { overflow, clipPath } = getComputedStyle(element);
  if (clipPath === "inset(50%)") return [];  // for screen readers only
  const isCut = overflow !== "visible" && element.scrollWidth > element.clientWidth + 1;
  return isCut || box.left < -1 || box.right > innerWidth + 1 ? [element.outerHTML.slice(0, 120)] : [];
})"""


def pin_many(pin: Pin, count: int) -> None:
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(pin, (f"Number {number}" for number in range(count))))


@pytest.mark.parametrize("width", [390, 1280])
def test_what_has_the_focus_is_in_view_below_the_rail(open_wall: OpenWall, pin: Pin, width: int) -> None:
    pin_many(pin, 24)
    page = open_wall(viewport={"width": width, "height": 600})
    expect(texts(page)).to_have_count(24)
    page.get_by_role("button", name="Delete: ").last.focus()
    for key in ["Shift+Tab"] * 50 + ["Tab"] * 20:
        page.keyboard.press(key)
        assert page.evaluate(COVERED) == ""


def test_the_keys_are_listed_work_and_can_be_turned_off(open_wall: OpenWall, pin: Pin) -> None:
    pin("Here")
    page = open_wall()
    keys, sheet, text = page.keyboard, page.get_by_role("dialog"), page.get_by_label("New note")
    start = page.get_by_role("button", name="Edit: Here")
    start.focus()
    keys.press("?")
    expect(sheet).to_be_visible()
    for name in ("?", "N", "/", "Ctrl", "Enter", "Esc", "←", "Z"):
        expect(sheet.locator("kbd", has_text=name).first).to_be_visible()
    keys.press("n")
    expect(sheet).to_be_visible()
    keys.press("Escape")
    expect(start).to_be_focused()
    keys.press("n")
    expect(text).to_be_focused()
    keys.type("n/?")
    expect(text).to_have_value("n/?")
    start.focus()
    keys.press("/")
    expect(page.get_by_label("Search notes")).to_be_focused()
    menu = page.get_by_role("button", name="board test-")
    menu.click()
    page.get_by_role("button", name="Keyboard").click()
    sheet.get_by_role("checkbox").uncheck()
    sheet.get_by_role("button", name="Close").click()
    expect(menu).to_be_focused()
    for key in ("n", "/", "?"):
        keys.press(key)
    expect(menu).to_be_focused()
    expect(sheet).to_be_hidden()


def test_all_notes_of_the_board_are_printed_and_no_controls(open_wall: OpenWall, pin: Pin) -> None:
    pin_many(pin, 320)
    late: list[Route] = []
    page = open_wall(
        color_scheme="dark", prepare=lambda page: page.route(MORE, lambda route: late.append(route), times=1)
    )
    page.mouse.wheel(0, 5000)
    wait_for(lambda: page.wait_for_timeout(50) or late, "more notes to be asked for")  # type: ignore[func-returns-value]
    # In braces: an expression that is a function would be called at once.
    page.evaluate("() => { window.print = () => { window.asked = true; }; }")
    page.get_by_role("button", name="board test-").click()
    page.get_by_role("button", name="Print").click()
    until(page, "window.asked")
    # What was asked for before and comes now reaches less far than what came meanwhile.
    late[0].continue_()
    until(page, "!document.querySelector('#more').disabled")
    # Of so many, no more are in the document than are needed, until they are printed.
    assert texts(page).count() < 320
    count = "document.querySelectorAll('#notes .cell').length"
    page.evaluate(f"addEventListener('beforeprint', () => (window.printed = {count}))")
    pages = page.pdf().count(b"/Type /Page\n")
    assert page.evaluate("printed") == 320
    assert pages > 3
    expect(page.get_by_role("listitem").nth(200)).to_have_count(0)
    page.emulate_media(media="print")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    expect(texts(page)).to_have_count(320)
    expect(page.locator("#not-printed")).to_have_text("")
    expect(
        page.locator("button:visible:not(.board-name), input:visible, textarea:visible, select:visible")
    ).to_have_count(0)
    boxes = page.evaluate(
        "[...document.querySelectorAll('.note')].map((e) => JSON.stringify(e.getBoundingClientRect()))"
    )
    assert len(set(boxes)) == 320
    assert page.locator(".text").first.evaluate("(e) => getComputedStyle(e).color") == "rgb(0, 0, 0)"


def enlarge(page: Page) -> None:
    """The letters that somebody chose in the browser's settings: 32 pixels."""
    page.context.new_cdp_session(page).send("Page.setFontSizes", {"fontSizes": {"standard": 32, "fixed": 26}})


@pytest.mark.parametrize(("width", "height", "large"), [(320, 256, False), (640, 400, True)])
def test_nothing_is_cut_when_it_is_enlarged(
    open_wall: OpenWall, pin: Pin, width: int, height: int, large: bool
) -> None:
    pin("Water the fern, and the tomatoes on the balcony")
    page = open_wall(
        viewport={"width": width, "height": height},
        locale="de-DE",
        prepare=enlarge if large else None,
        has_touch=True,
    )
    expect(texts(page)).to_be_visible()
    size = page.evaluate("getComputedStyle(document.documentElement).fontSize")
    assert size == ("32px" if large else "16px")
    until(page, "document.documentElement.scrollWidth <= innerWidth")
    assert page.evaluate(CUT) == []
    page.get_by_role("button", name="Papier: ").click()
    assert page.evaluate(CUT) == []
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Erledigt: ").click()
    expect(page.get_by_role("button", name="Rückgängig")).to_be_visible()
    assert page.evaluate(CUT) == []
    page.get_by_role("button", name="Ändern: ").click()
    assert page.evaluate(CUT) == []
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Wand test-").click()
    assert page.evaluate(CUT) == []
    page.get_by_role("button", name="Tastatur").click()
    expect(page.get_by_role("dialog")).to_be_visible()
    assert page.evaluate(CUT) == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_states_are_told_in_the_systems_colours(open_wall: OpenWall, pin: Pin) -> None:
    pin("Ticked")
    pin("Not ticked")
    page = open_wall(forced_colors="active")
    act(page, "Done", "Ticked")
    style = "(element, name) => getComputedStyle(element)[name]"
    ticked, other = (
        page.get_by_role("button", name=f"Done: {text}", exact=True) for text in ("Ticked", "Not ticked")
    )
    expect(ticked).to_have_attribute("aria-pressed", "true")
    assert ticked.evaluate(style, "backgroundColor") != other.evaluate(style, "backgroundColor")
    papers = {one.evaluate(style, "backgroundColor") for one in page.get_by_role("radio").all()}
    assert len(papers) == page.get_by_role("radio").count()
    chosen, unchosen = page.get_by_role("radio", checked=True), page.get_by_role("radio", checked=False).first
    assert chosen.evaluate(style, "borderTopWidth") != unchosen.evaluate(style, "borderTopWidth")
    page.keyboard.press("Tab")
    focused = page.locator(":focus-visible")
    assert (focused.evaluate(style, "outlineStyle"), focused.evaluate(style, "outlineWidth")) == (
        "solid",
        "3px",
    )
    page.route("**/api/notes", lambda route: route.abort())
    page.get_by_label("New note").fill("Waits")
    page.keyboard.press("Control+Enter")
    waiting = note(page, "Waits").get_by_role("article")
    assert waiting.evaluate(style, "borderTopStyle") != note(page, "Ticked").get_by_role("article").evaluate(
        style, "borderTopStyle"
    )


@pytest.mark.parametrize("touch", [False, True])
def test_a_time_is_on_one_line_and_controls_are_not_the_browsers_own(
    open_wall: OpenWall, pin: Pin, touch: bool
) -> None:
    pin("When?")
    page = open_wall(locale="de-DE", has_touch=touch, is_mobile=touch)
    outside = """() => {
      const [time, card] = ["time", ".note"].map((name) => document.querySelector(`#notes ${name}`));
      const range = document.createRange();
      range.selectNodeContents(time);
      const [box, ...more] = range.getClientRects();
      const paper = card.getBoundingClientRect();
      return more.length || box.left < paper.left || box.right > paper.right ? innerWidth : 0;
    }"""
    for width in (320, 390, 540, 620, 800, 1024, 1280, 1920):
        page.set_viewport_size({"width": width, "height": 800})
        until(page, "document.documentElement.scrollWidth <= innerWidth")
        assert page.evaluate(outside) == 0
    style = "(element) => getComputedStyle(element).appearance"
    for control in (page.get_by_label("Anzeigen"), page.get_by_role("radio").first):
        assert control.evaluate(style) == "none"
    assert "svg" in page.get_by_label("Anzeigen").evaluate(
        "(element) => getComputedStyle(element).backgroundImage"
    )
