"""What somebody who changes notes may rely on: others see it, and nothing that was written is lost."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import Page, Route, WebSocketRoute, expect

from tests.harness.wall import act, edit, note, save, texts, write

if TYPE_CHECKING:
    from tests.browser.conftest import OpenWall, Pin

pytestmark = pytest.mark.browser


def test_an_edited_note_changes_in_the_other_page(open_wall: OpenWall, pin: Pin) -> None:
    pin("Soup at seven")
    here, there = open_wall(), open_wall()
    edit(here, "Soup at seven", "Soup at eight")
    here.keyboard.press("Control+Enter")
    for page in (here, there):
        expect(texts(page)).to_have_text(["Soup at eight"])


def test_escape_leaves_a_note_as_it_was_and_keeps_what_was_typed(open_wall: OpenWall, pin: Pin) -> None:
    pin("As it was")
    page = open_wall()
    edit(page, "As it was", "Something else")
    page.keyboard.press("Escape")
    expect(note(page, "As it was")).to_be_visible()
    expect(page.get_by_role("button", name="Edit: As it was")).to_be_focused()
    expect(page.get_by_text("What you changed is kept")).to_be_visible()
    page.reload()
    for kept in ("Something else", "As it was"):
        act(page, "Edit", "As it was")
        expect(page.get_by_label("Text of the note")).to_have_value(kept)
        page.get_by_role("button", name="Cancel").click()


def test_what_is_typed_while_a_note_is_being_saved_stays_in_the_editor(open_wall: OpenWall, pin: Pin) -> None:
    pin("One")
    page, there = open_wall(), open_wall()
    field = page.get_by_label("Text of the note")

    def slowly(route: Route) -> None:
        field.fill("One, two, three")
        route.continue_()

    page.route("**/api/notes/*", slowly, times=1)
    edit(page, "One", "One, two")
    save(page)
    expect(note(there, "One, two")).to_be_visible()
    expect(field).to_have_value("One, two, three")
    save(page)
    for each in (page, there):
        expect(texts(each)).to_have_text(["One, two, three"])


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


def test_a_double_click_deletes_once_and_can_be_undone(open_wall: OpenWall, pin: Pin) -> None:
    pin("Twice")
    page = open_wall()
    card = note(page, "Twice")
    card.hover()
    card.get_by_role("button", name="Delete: ").dblclick()
    expect(page.get_by_role("listitem")).to_have_count(0)
    page.get_by_role("button", name="Undo").click()
    expect(note(page, "Twice")).to_be_visible()


def test_done_and_paper_change_in_the_other_page(open_wall: OpenWall, pin: Pin) -> None:
    pin("Water the fern")
    here, there = open_wall(), open_wall()
    act(here, "Done", "Water the fern")
    done = there.get_by_role("button", name="Done: Water the fern")
    expect(done).to_have_attribute("aria-pressed", "true")
    act(here, "Paper", "Water the fern")
    here.get_by_role("group", name="Paper").get_by_role("button", name="plum").click()
    expect(note(there, "Water the fern").get_by_role("article")).to_have_attribute("data-color", "plum")
    act(there, "Done", "Water the fern")
    expect(here.get_by_role("button", name="Done: Water the fern")).to_have_attribute("aria-pressed", "false")


def test_a_deleted_note_comes_back_with_undo(open_wall: OpenWall, pin: Pin) -> None:
    pin("Not this one")
    here, there = open_wall(), open_wall()
    act(here, "Done", "Not this one")
    by_button: Callable[[], object] = here.get_by_role("button", name="Undo").click
    by_key: Callable[[], object] = partial(here.keyboard.press, "Control+z")
    for undo in (by_button, by_key):
        act(here, "Delete", "Not this one")
        for page in (here, there):
            expect(page.get_by_role("listitem")).to_have_count(0)
        here.locator("body").click(position={"x": 5, "y": 400})
        undo()
        for page in (here, there):
            back = page.get_by_role("button", name="Done: Not this one")
            expect(back).to_have_attribute("aria-pressed", "true")


@pytest.fixture
def rivals(open_wall: OpenWall, pin: Pin) -> tuple[Page, Page]:
    """Two pages; in the first one the note is being edited, in the second one somebody was faster."""
    pin("Bring bread")
    here, there = open_wall(), open_wall()
    edit(here, "Bring bread", "Bring bread and jam")
    edit(there, "Bring bread", "Bring cake")
    save(there)
    expect(note(there, "Bring cake")).to_be_visible()
    expect(here.get_by_role("alert")).to_contain_text("Bring cake")
    expect(here.get_by_label("Text of the note")).to_have_value("Bring bread and jam")
    return here, there


def test_of_two_edits_one_can_keep_ones_own(rivals: tuple[Page, Page]) -> None:
    rivals[0].get_by_role("button", name="Keep mine").click()
    for page in rivals:
        expect(texts(page)).to_have_text(["Bring bread and jam"])


def test_of_two_edits_one_can_take_theirs(rivals: tuple[Page, Page]) -> None:
    rivals[0].get_by_role("button", name="Take theirs").click()
    for page in rivals:
        expect(texts(page)).to_have_text(["Bring cake"])


def deaf(page: Page) -> None:
    """The page hears of no change of a note."""

    def pass_on(socket: WebSocketRoute) -> None:
        server = socket.connect_to_server()
        server.on_message(lambda message: None if "note.updated" in str(message) else socket.send(message))

    page.route_web_socket(re.compile("/ws$"), pass_on)


def test_an_edit_that_the_server_refuses_as_outdated_shows_both_texts(open_wall: OpenWall, pin: Pin) -> None:
    pin("Version one")
    here, there = open_wall(prepare=deaf), open_wall()
    edit(here, "Version one", "Mine")
    edit(there, "Version one", "Theirs")
    save(there)
    expect(note(there, "Theirs")).to_be_visible()
    with here.expect_response(lambda response: response.status == 412):
        save(here)
    expect(here.get_by_role("alert")).to_contain_text("Theirs")
    here.get_by_label("Text of the note").fill("Mine and theirs")
    here.get_by_role("button", name="Keep mine").click()
    expect(note(there, "Mine and theirs")).to_be_visible()


def test_an_edit_goes_through_when_only_the_tick_changed_meanwhile(open_wall: OpenWall, pin: Pin) -> None:
    pin("Blue or green")
    here, there = open_wall(prepare=deaf), open_wall()
    edit(here, "Blue or green", "Green")
    act(there, "Done", "Blue or green")
    expect(there.get_by_role("button", name="Done: ")).to_have_attribute("aria-pressed", "true")
    save(here)
    expect(note(there, "Green")).to_be_visible()
    expect(there.get_by_role("button", name="Done: ")).to_have_attribute("aria-pressed", "true")


def test_an_edit_of_a_note_that_was_deleted_can_be_pinned_as_a_new_one(open_wall: OpenWall, pin: Pin) -> None:
    pin("Short lived")
    here, there = open_wall(), open_wall()
    edit(here, "Short lived", "Long lived")
    act(there, "Delete", "Short lived")
    expect(here.get_by_role("alert")).to_contain_text("deleted")
    here.get_by_role("button", name="Pin mine as a new note").click()
    for page in (here, there):
        expect(texts(page)).to_have_text(["Long lived"])


def test_an_edit_that_cannot_be_saved_keeps_its_text(open_wall: OpenWall, pin: Pin) -> None:
    pin("Before")
    page = open_wall()
    edit(page, "Before", "After")
    page.route("**/api/notes/*", lambda route: route.abort(), times=1)
    save(page)
    expect(page.get_by_text("Not saved, your text is still here.")).to_be_visible()
    save(page)
    expect(texts(page)).to_have_text(["After"])


def test_a_change_that_fails_is_taken_back_and_said(open_wall: OpenWall, pin: Pin) -> None:
    pin("Stays")
    page = open_wall()

    def busy(route: Route) -> None:
        route.fulfill(status=503, json={"detail": "Later."}, headers={"Retry-After": "1"})

    page.route("**/api/notes/*", busy)
    act(page, "Done", "Stays")
    expect(page.get_by_text("Not changed. Later.")).to_be_visible()
    expect(page.get_by_role("button", name="Done: Stays")).to_have_attribute("aria-pressed", "false")
    act(page, "Delete", "Stays")
    expect(note(page, "Stays")).to_be_visible()


def test_search_and_filter_show_what_matches_also_of_what_happens_now(open_wall: OpenWall, pin: Pin) -> None:
    pin("Lemons, six")
    pin("Oat milk")
    page, other = open_wall(), open_wall()
    page.get_by_label("Search notes").fill("LEMON")
    expect(texts(page)).to_have_text(["Lemons, six"])
    write(other, "Lemon cake")
    write(other, "Bread")
    expect(texts(page)).to_have_text(["Lemon cake", "Lemons, six"])
    page.get_by_role("combobox", name="Show").select_option("To do")
    act(other, "Done", "Lemon cake")
    expect(texts(page)).to_have_text(["Lemons, six"])
    page.get_by_label("Search notes").fill("nowhere")
    page.get_by_role("button", name="Show all notes").click()
    expect(texts(page)).to_have_text(["Bread", "Lemon cake", "Oat milk", "Lemons, six"])


def test_a_board_is_made_by_going_to_it(open_wall: OpenWall) -> None:
    page = open_wall()
    page.get_by_role("button", name="board test-").click()
    page.get_by_label("Go to another board, or make one").fill("Café List 7")
    page.get_by_role("button", name="Go", exact=True).click()
    page.wait_for_url("**/b/cafe-list-7")
    expect(page.get_by_text("Live", exact=True)).to_be_visible()
