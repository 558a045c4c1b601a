"""The wall is for everyone: by keyboard alone, by ear, in either theme, in any script."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]
from playwright.sync_api import Page, expect

from tests.harness.chromium import until
from tests.harness.wall import act, edit, note, texts, write

if TYPE_CHECKING:
    from tests.browser.conftest import OpenWall, Pin

pytestmark = pytest.mark.browser

NAME = "((e) => e.ariaLabel ?? e.labels?.[0]?.textContent ?? e.textContent)(document.activeElement)"


def complaints(page: Page, *rules: str) -> str:
    """What axe finds, as text; empty when it finds nothing. By these rules, or by all of them."""
    # Of the rules for WCAG 2.2, axe leaves this one out unless it is asked for.
    options = {"runOnly": list(rules)} if rules else {"rules": {"target-size": {"enabled": True}}}
    result = Axe().run(page, options=options)
    return "" if result.violations_count == 0 else str(result.generate_report())


@pytest.mark.parametrize(("width", "theme"), [(390, "dark"), (1280, "light")])
def test_axe_finds_nothing(open_wall: OpenWall, pin: Pin, theme: str, width: int) -> None:
    page = open_wall(color_scheme=theme, viewport={"width": width, "height": 800})
    assert complaints(page) == ""
    pin("Water the fern")
    pin("Ring the dentist")
    other = open_wall()
    act(page, "Done", "Water the fern")
    act(page, "Edit", "Ring the dentist")
    page.get_by_label("Text of the note").fill("Ring the dentist before noon")
    edit(other, "Ring the dentist", "Never mind")
    other.get_by_role("button", name="Save").click()
    expect(page.get_by_role("alert")).to_be_visible()
    assert complaints(page) == ""
    page.get_by_role("button", name="Take theirs").click()
    act(page, "Paper", "Water the fern")
    assert complaints(page) == ""
    page.keyboard.press("Escape")
    act(page, "Delete", "Water the fern")
    expect(page.get_by_text("Note deleted.")).to_be_visible()
    page.get_by_role("button", name="board test-").click()
    assert complaints(page) == ""
    page.keyboard.press("Escape")
    page.get_by_label("Search notes").fill("nowhere")
    expect(page.get_by_text("No note like that here.")).to_be_visible()
    page.get_by_label("New note").fill("x" * 2001)
    page.keyboard.press("Control+Enter")
    expect(page.locator("#message")).not_to_be_empty()
    assert complaints(page) == ""


def test_everything_can_be_done_with_the_keyboard_alone(open_wall: OpenWall, pin: Pin) -> None:
    pin("Older")
    page = open_wall()
    keys = page.keyboard

    def tab_to(what: str) -> None:
        for _ in range(30):
            keys.press("Tab")
            if what in page.evaluate(NAME):
                assert page.evaluate("document.activeElement.matches(':focus-visible')")
                return
        raise AssertionError(f"Tab never leads to {what}")

    tab_to("New note")
    keys.type("By keyboard")
    keys.press("Control+Enter")
    expect(note(page, "By keyboard")).to_be_visible()
    expect(page.get_by_text("Waiting to be sent")).to_have_count(0)
    expect(page.get_by_label("New note")).to_be_focused()
    tab_to("Done: By keyboard")
    keys.press("Space")
    expect(page.get_by_role("button", name="Done: By keyboard")).to_have_attribute("aria-pressed", "true")
    tab_to("Edit: By keyboard")
    keys.press("Enter")
    keys.type(" alone")
    keys.press("Control+Enter")
    expect(note(page, "By keyboard alone")).to_be_visible()
    expect(page.get_by_role("button", name="Edit: By keyboard alone")).to_be_focused()
    keys.press("Tab")
    keys.press("Enter")
    keys.press("ArrowRight")
    keys.press("Enter")
    expect(page.get_by_role("button", name="Paper: By keyboard alone")).to_be_focused()
    keys.press("Tab")
    keys.press("Enter")
    expect(note(page, "By keyboard alone")).to_have_count(0)
    keys.press("Control+z")
    expect(note(page, "By keyboard alone")).to_be_visible()
    expect(page.get_by_role("button", name="Delete: Older")).to_be_focused()


def test_the_arrow_keys_lead_from_note_to_note(open_wall: OpenWall, pin: Pin) -> None:
    for number in range(8):
        pin(f"Note {number}")
    page = open_wall()
    start = page.get_by_role("button", name="Edit: Note 7")
    start.focus()
    for there, back in (("ArrowDown", "ArrowUp"), ("ArrowRight", "ArrowLeft")):
        page.keyboard.press(there)
        expect(start).not_to_be_focused()
        assert page.evaluate("document.activeElement.dataset.act") == "edit"
        page.keyboard.press(back)
        expect(start).to_be_focused()


def test_others_notes_are_announced_and_ones_own_are_not(open_wall: OpenWall) -> None:
    here, there = open_wall(), open_wall()
    write(here, "Listen")
    expect(there.get_by_role("log")).to_have_text("New note: Listen")
    expect(here.get_by_role("log")).to_have_text("")


def test_text_runs_in_its_own_direction_and_every_sign_is_kept(open_wall: OpenWall) -> None:
    page = open_wall()
    signs = {"שלום, מי מביא קפה?": "rtl", "مرحبا": "rtl", "Kaffee ☕️ 👩🏽‍🚀 ümläut": "ltr", "漢字かな": "ltr"}
    for text, direction in signs.items():
        write(page, text)
        shown = note(page, text).locator(".text")
        expect(shown).to_be_visible()
        assert shown.evaluate("(e) => getComputedStyle(e).direction") == direction


def test_a_reader_who_wants_no_motion_sees_none(open_wall: OpenWall) -> None:
    page, other = open_wall(), open_wall()
    write(other, "Quietly")
    expect(note(page, "Quietly")).to_be_visible()
    assert page.evaluate("document.getAnimations().length") == 0


def test_a_reader_with_large_letters_loses_nothing(open_wall: OpenWall, pin: Pin) -> None:
    pin("Large letters " * 20)
    page = open_wall(viewport={"width": 640, "height": 400})
    page.evaluate("document.documentElement.style.fontSize = '200%'")
    page.set_viewport_size({"width": 641, "height": 400})
    expect(texts(page)).to_be_visible()
    # The wall lays itself out anew when it hears of the new size.
    until(page, "document.documentElement.scrollWidth <= 641")
