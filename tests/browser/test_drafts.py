"""What was typed and not sent is kept, and overwrites nobody's text without asking."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import Page, expect

from tests.harness.wall import act, edit, note, save, texts

if TYPE_CHECKING:
    from tests.browser.conftest import OpenWall, Pin

pytestmark = pytest.mark.browser


def test_escape_leaves_a_note_as_it_was_and_keeps_what_was_typed(open_wall: OpenWall, pin: Pin) -> None:
    pin("As it was")
    page = open_wall()
    edit(page, "As it was", "Something else")
    page.evaluate(
        "for (let size = 2 ** 20, n = 0; size; )"
        " try { localStorage[`full-${(n += 1)}`] = 'x'.repeat(size); } catch { size >>= 1; }"
    )
    page.get_by_label("Text of the note").fill("Something else, for which there is no room")
    page.keyboard.press("Escape")
    expect(page.get_by_text("This browser has no room to keep what you write here.")).to_be_visible()
    page.evaluate(
        "for (const n of Object.keys(localStorage)) if (n.startsWith('full-')) delete localStorage[n]"
    )
    page.get_by_label("Text of the note").fill("Something else")
    page.keyboard.press("Escape")
    expect(note(page, "As it was")).to_be_visible()
    expect(page.get_by_role("button", name="Edit: As it was")).to_be_focused()
    expect(page.get_by_text("What you changed is kept")).to_be_visible()
    page.reload()
    for kept in ("Something else", "As it was"):
        act(page, "Edit", "As it was")
        expect(page.get_by_label("Text of the note")).to_have_value(kept)
        page.get_by_role("button", name="Cancel").click()


def test_a_note_that_was_not_pinned_survives_a_reload(open_wall: OpenWall) -> None:
    page = open_wall()
    page.get_by_label("New note").fill("Half a thought")
    page.reload()
    expect(page.get_by_label("New note")).to_have_value("Half a thought")
    page.get_by_role("button", name="Pin it").click()
    expect(note(page, "Half a thought")).to_be_visible()
    page.reload()
    expect(note(page, "Half a thought")).to_be_visible()
    expect(page.get_by_label("New note")).to_have_value("")


@pytest.mark.parametrize("text", ["Half a thought", "42", '{"a": 1}', "null"])
def test_a_draft_that_a_page_of_the_version_before_kept_is_there(
    open_wall: OpenWall, board: str, text: str
) -> None:
    page = open_wall()
    page.evaluate(
        "([name, text]) => localStorage.setItem(name, text)", [f"corkboard:draft:board:{board}", text]
    )
    page.reload()
    expect(page.get_by_label("New note")).to_have_value(text)


def test_a_draft_of_an_edit_that_a_page_of_the_version_before_kept_overwrites_nothing(
    open_wall: OpenWall, pin: Pin
) -> None:
    pin("Bring bread")
    page = open_wall()
    edit(page, "Bring bread", "Bring bread and jam")
    page.evaluate(
        "([name]) => localStorage.setItem(name, JSON.parse(localStorage[name]).text)",
        [page.evaluate("Object.keys(localStorage).find((name) => name.startsWith('corkboard:draft:'))")],
    )
    page.reload()
    act(page, "Edit", "Bring bread")
    expect(page.get_by_label("Text of the note")).to_have_value("Bring bread and jam")
    expect(page.get_by_role("alert")).to_contain_text("Bring bread")


@pytest.fixture(params=[False, True], ids=["same page", "after a reload"])
def outdated(open_wall: OpenWall, pin: Pin, request: pytest.FixtureRequest) -> tuple[Page, Page]:
    """Two pages. In the first one a draft is opened of a note that the second one has changed since."""
    pin("Bring bread")
    here, there = open_wall(), open_wall()
    edit(here, "Bring bread", "Bring bread and jam")
    here.keyboard.press("Escape")
    edit(there, "Bring bread", "Bring cake")
    save(there)
    if request.param:
        here.reload()
    act(here, "Edit", "Bring cake")
    expect(here.get_by_label("Text of the note")).to_have_value("Bring bread and jam")
    alert = here.get_by_role("alert")
    expect(alert).to_contain_text("Somebody changed this note meanwhile. It now says:")
    expect(alert).to_contain_text("Bring cake")
    return here, there


def test_a_draft_of_a_note_that_was_changed_meanwhile_can_be_kept(outdated: tuple[Page, Page]) -> None:
    outdated[0].get_by_role("button", name="Keep mine").click()
    for page in outdated:
        expect(texts(page)).to_have_text(["Bring bread and jam"])


def test_a_draft_of_a_note_that_was_changed_meanwhile_can_be_dropped(outdated: tuple[Page, Page]) -> None:
    here = outdated[0]
    here.get_by_role("button", name="Take theirs").click()
    for page in outdated:
        expect(texts(page)).to_have_text(["Bring cake"])
    act(here, "Edit", "Bring cake")
    expect(here.get_by_label("Text of the note")).to_have_value("Bring cake")


def test_what_was_not_decided_before_a_reload_is_asked_again(outdated: tuple[Page, Page]) -> None:
    here = outdated[0]
    here.get_by_label("Text of the note").fill("Bring bread, jam and butter")
    here.reload()
    act(here, "Edit", "Bring cake")
    expect(here.get_by_role("alert")).to_contain_text("Bring cake")
    expect(here.get_by_label("Text of the note")).to_have_value("Bring bread, jam and butter")


def test_a_draft_of_a_note_that_only_others_ticked_off_is_not_asked_about(
    open_wall: OpenWall, pin: Pin
) -> None:
    pin("Blue or green")
    here, there = open_wall(), open_wall()
    edit(here, "Blue or green", "Green")
    here.keyboard.press("Escape")
    act(there, "Done", "Blue or green")
    expect(here.get_by_role("button", name="Done: ")).to_have_attribute("aria-pressed", "true")
    act(here, "Edit", "Blue or green")
    expect(here.get_by_role("alert")).to_be_hidden()
    save(here)
    expect(texts(there)).to_have_text(["Green"])


@pytest.mark.parametrize("is_here", [True, False], ids=["page open", "page closed"])
def test_the_draft_of_a_note_that_was_deleted_goes_back_to_the_form(
    open_wall: OpenWall, pin: Pin, board: str, is_here: bool
) -> None:
    pin("Short lived")
    here, there = open_wall(), open_wall()
    edit(here, "Short lived", "Long lived")
    here.keyboard.press("Escape")
    if not is_here:
        here.goto("about:blank")
    act(there, "Delete", "Short lived")
    expect(note(there, "Short lived")).to_have_count(0)
    if not is_here:
        here.goto(f"/b/{board}")
    expect(here.get_by_label("New note")).to_have_value("Long lived")
    expect(here.get_by_text("Somebody deleted a note that you were changing.")).to_be_visible()
    here.get_by_role("button", name="Pin it").click()
    expect(texts(there)).to_have_text(["Long lived"])
