"""Boards: their titles, the way from one to another, what is shared of them, and long notes to read."""

from __future__ import annotations

import io
import json
import re
import secrets
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import zxingcpp
from PIL import Image
from playwright.sync_api import Page, expect

from tests.browser.test_access import complaints
from tests.harness.chromium import until
from tests.harness.clients import wait_for
from tests.harness.wall import note, texts

if TYPE_CHECKING:
    from tests.browser.conftest import OpenWall, Pin
    from tests.harness.cable import Cable
    from tests.harness.local import LocalStack

pytestmark = pytest.mark.browser

HOSTILE = """"><script>document.title="broken"</script> 'quoted' & 🏳\ufe0f\u200d🌈"""
HEBREW = "לוח המודעות"
LONG = "\n".join(f"Line {number} of many" for number in range(1, 41))
CODE = (
    "Run `rm -r <b>x</b>`:\n```sh\nif true; then\n\techo 'https://example.org' "
    + "x" * 90
    + "\nfi\n```\nDone."
)


def open_boards(page: Page) -> None:
    page.locator(".board-name").click()
    expect(page.get_by_label("Title of this board")).to_be_visible()


def entitle(page: Page, title: str) -> None:
    page.get_by_label("Title of this board").fill(title)
    page.locator("#boards").get_by_role("button", name="Save").click()


def expect_title(page: Page, title: str) -> None:
    expect(page.locator("#title")).to_have_text(title)
    expect(page).to_have_title(f"{title} · Corkboard")


def test_a_title_is_what_everybody_sees_at_once_and_after_a_reload(
    open_wall: OpenWall, cable: Cable, board: str
) -> None:
    here, there, away = open_wall(), open_wall(), open_wall(cable.base_url)
    expect_title(there, board)
    open_boards(here)
    cable.cut()
    expect(away.get_by_text("Reconnecting", exact=True)).to_be_visible()
    for title in ("Küche & Bad", HEBREW, HOSTILE):
        entitle(here, title)
        for page in (here, there):
            expect_title(page, title)
    assert there.locator("script:not([src]):not([type])").count() == 0
    cable.mend()
    expect_title(away, HOSTILE)
    # What comes first is the HTML, without any script. nginx has it from before for a second or two.
    with_title = open_wall(java_script_enabled=False, wait=False)
    shown = with_title.locator("#title")
    wait_for(lambda: with_title.reload() and shown.text_content() == HOSTILE, "the title")
    expect_title(with_title, HOSTILE)
    there.reload()
    expect_title(there, HOSTILE)
    # Of two who change it at once, the later one is told, and decides.
    open_boards(there)
    there.get_by_label("Title of this board").fill("Theirs")
    entitle(here, "Mine")
    expect_title(there, "Mine")
    entitle(there, "Theirs")
    expect(there.get_by_text("Somebody else just gave it the title")).to_be_visible()
    expect(there.get_by_label("Title of this board")).to_have_value("Theirs")
    assert complaints(there) == ""
    there.keyboard.press("Enter")
    there.locator("#boards").get_by_role("button", name="Save").click()
    expect_title(here, "Theirs")
    expect(here.get_by_label("Title of this board")).to_have_value("Theirs")
    entitle(here, "")
    expect_title(there, board)


def test_any_words_lead_to_a_board_with_that_title_and_back_by_the_recent_ones(
    open_wall: OpenWall, board: str
) -> None:
    page = open_wall()
    number = secrets.token_hex(4)
    for words, address in (
        (f"Küche & Bad {number}", f"kuche-bad-{number}"),
        (f"Straße {number}", f"strasse-{number}"),
        ("Кухня", r"[a-z0-9]{8}"),
    ):
        open_boards(page)
        page.get_by_label("Go to another board").fill(words)
        page.keyboard.press("Enter")
        page.wait_for_url(re.compile(rf"/b/{address}$"))
        expect_title(page, words)
    # A board that somebody has entitled keeps its title, whatever words lead there.
    open_boards(page)
    page.get_by_label("Go to another board").fill(f"KUCHE bad {number}")
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile(rf"/b/kuche-bad-{number}$"))
    expect_title(page, f"Küche & Bad {number}")
    expect(page.get_by_text("Live", exact=True)).to_be_visible()
    open_boards(page)
    recent = page.get_by_role("region", name="Recent boards")
    expect(recent.get_by_role("link")).to_have_text(["Кухня", f"Straße {number}", board])
    assert complaints(page) == ""
    recent.get_by_role("button", name=f"Forget Straße {number}").click()
    expect(recent.get_by_role("link")).to_have_text(["Кухня", board])
    expect(recent.get_by_role("button", name=f"Forget {board}")).to_be_focused()
    # There are never more than a few.
    page.evaluate(
        "for (let n = 0; n < 50; n++)"
        " localStorage[`corkboard:recent:old-${n}`] = JSON.stringify({at: n, title: ''})"
    )
    page.reload()
    open_boards(page)
    expect(recent.get_by_role("link")).to_have_count(19)
    assert page.evaluate("Object.keys(localStorage).filter((n) => n.includes(':recent:')).length") == 20
    recent.get_by_role("link", name=board, exact=True).click()
    page.wait_for_url(f"**/b/{board}")


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_a_board_is_shared_as_a_code_that_phones_read_and_as_a_file(
    open_wall: OpenWall, stack: LocalStack, pin: Pin, board: str, theme: str, tmp_path: Path
) -> None:
    pin("one")
    pin("two")
    asked: list[str] = []
    page = open_wall(
        color_scheme=theme,
        prepare=lambda page: page.on("request", lambda request: asked.append(request.url)),
        permissions=["clipboard-read", "clipboard-write"],
    )
    open_boards(page)
    assert not any("qr.svg" in url for url in asked)
    page.get_by_role("button", name="QR code").click()
    picture = page.get_by_role("img", name=f"QR code: {stack.base_url}/b/{board}")
    expect(picture).to_have_js_property("complete", True)
    assert complaints(page) == ""
    (code,) = zxingcpp.read_barcodes(Image.open(io.BytesIO(picture.screenshot())))
    assert code.text == f"{stack.base_url}/b/{board}"
    page.get_by_role("button", name="QR code").click()
    expect(picture).to_be_hidden()
    page.get_by_role("button", name="Copy this board's address").click()
    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    assert page.evaluate("navigator.clipboard.readText()") == code.text
    with page.expect_download() as download:
        page.get_by_role("link", name="Export all notes").click()
    assert re.fullmatch(rf"{board}-\d{{4}}-\d\d-\d\d\.ndjson", download.value.suggested_filename)
    download.value.save_as(tmp_path / "export")
    lines = (tmp_path / "export").read_text().splitlines()
    assert [json.loads(line)["text"] for line in lines] == ["two", "one"]


def test_a_long_note_is_folded_until_somebody_wants_all_of_it(open_wall: OpenWall, pin: Pin) -> None:
    pin("Short")
    pin(LONG)
    page = open_wall()
    card = page.get_by_role("listitem").filter(has_text="Line 40 of many")
    text, turn = card.locator(".text"), card.get_by_role("button", name="Show")
    expect(page.get_by_role("button", name="Show all", exact=True)).to_have_count(1)
    expect(turn).to_have_attribute("aria-expanded", "false")
    hides = "(e) => e.scrollHeight > e.clientHeight + 1"
    assert text.evaluate(hides)
    assert complaints(page) == ""
    turn.focus()
    page.keyboard.press("Enter")
    expect(turn).to_have_attribute("aria-expanded", "true")
    expect(turn).to_have_text("Show less", use_inner_text=True)
    expect(turn).to_be_focused()
    assert not text.evaluate(hides)
    # It stays so, whatever becomes of the note.
    pin("Newer")
    expect(note(page, "Newer")).to_be_visible()
    card.get_by_role("button", name="Done").click()
    expect(turn).to_have_attribute("aria-expanded", "true")
    page.keyboard.press("Tab")
    turn.click()
    expect(turn).to_have_attribute("aria-expanded", "false")
    # What is looked for is not left out of sight, neither by the wall nor by the browser.
    page.get_by_label("Search notes").fill("Line 39")
    expect(turn).to_have_attribute("aria-expanded", "true")
    page.get_by_label("Search notes").fill("")
    expect(texts(page)).to_have_count(3)
    turn.click()
    expect(turn).to_have_attribute("aria-expanded", "false")
    # The browser finds it as with Ctrl+F, and scrolls to it.
    page.evaluate("location.hash = '#:~:text=Line%2039%20of%20many'")
    expect(turn).to_have_attribute("aria-expanded", "true")
    assert text.evaluate("(e) => e.scrollTop") == 0
    assert page.evaluate("find('Line 39 of many', false, false, true)")
    found = "getSelection().getRangeAt(0).getBoundingClientRect()"
    until(page, f"{found}.top > 0 && {found}.bottom < innerHeight")


def test_code_is_set_as_code_and_nothing_else_becomes_markup(open_wall: OpenWall, pin: Pin) -> None:
    pin(CODE)
    page = open_wall(viewport={"width": 390, "height": 800})
    text = texts(page)
    words, block = text.locator("code").all()
    assert words.text_content() == "rm -r <b>x</b>"
    assert block.text_content() == "if true; then\n\techo 'https://example.org' " + "x" * 90 + "\nfi"
    assert text.inner_text().startswith("Run rm -r <b>x</b>:")
    assert text.inner_text().endswith("Done.")
    assert text.locator("b, a, script").count() == 0
    assert "mono" in block.evaluate("(e) => getComputedStyle(e).fontFamily")
    # Long lines are scrolled inside of the note, also by keyboard.
    assert (
        block.evaluate("(e) => e.scrollWidth > e.clientWidth && getComputedStyle(e).whiteSpaceCollapse")
        == "preserve"
    )
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert complaints(page) == ""
    block.focus()
    page.keyboard.press("ArrowRight")
    until(page, "(e) => e.scrollLeft > 0", block.element_handle())
    # An editor has what was written.
    page.get_by_role("button", name="Edit: ").click()
    expect(page.get_by_label("Text of the note")).to_have_value(CODE)
