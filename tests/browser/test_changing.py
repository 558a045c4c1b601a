"""What somebody who changes notes may rely on: others see it, and nothing that was written is lost."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import Page, Route, WebSocketRoute, expect

from tests.harness.chromium import until
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


def test_an_edit_while_the_one_before_is_on_its_way_is_no_conflict(open_wall: OpenWall, pin: Pin) -> None:
    pin("One")
    page, there = open_wall(), open_wall()
    on_its_way: list[Route] = []
    page.route("**/api/notes/*", lambda route: on_its_way.append(route), times=1)
    edit(page, "One", "One, two")
    save(page)
    expect(texts(page)).to_have_text(["One, two"])
    edit(page, "One, two", "One, two, three")
    save(page)
    on_its_way[0].continue_()
    for each in (page, there):
        expect(texts(each)).to_have_text(["One, two, three"])
    expect(page.locator("#undecided")).to_be_hidden()


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


def test_a_search_has_an_address_a_count_and_marks(open_wall: OpenWall, pin: Pin, board: str) -> None:
    for text in ("Lemons, six", "Oat milk", "Lemon cake with lemons"):
        pin(text)
    page = open_wall()
    page.get_by_label("Search notes").fill("lemon")
    page.wait_for_url(f"**/b/{board}?q=lemon")
    for _ in range(2):
        expect(texts(page)).to_have_text(["Lemon cake with lemons", "Lemons, six"])
        expect(page.get_by_text("2 notes", exact=True)).to_be_visible()
        until(page, "CSS.highlights.get('found').size === 3")
        page.reload()
    expect(page.get_by_label("Search notes")).to_have_value("lemon")
    page.get_by_label("Search notes").fill("")
    page.wait_for_url(f"**/b/{board}")
    expect(texts(page)).to_have_count(3)
    expect(page.get_by_text("2 notes", exact=True)).to_be_hidden()


@pytest.mark.parametrize("filtered", ["search", "done"])
def test_pinning_what_the_filter_does_not_show_says_where_it_is(
    open_wall: OpenWall, pin: Pin, filtered: str
) -> None:
    pin("Lemons, six")
    page = open_wall()
    if filtered == "search":
        page.get_by_label("Search notes").fill("lemon")
    else:
        page.get_by_role("combobox", name="Show").select_option("Done")
    expect(texts(page)).to_have_text(["Lemons, six"] if filtered == "search" else [])
    write(page, "Lemon curd")
    if filtered == "search":
        expect(texts(page)).to_have_text(["Lemon curd", "Lemons, six"])
        expect(page.get_by_text("Pinned.")).to_be_hidden()
        write(page, "Bread")
    expect(page.get_by_text("Pinned. It does not match your search.")).to_be_visible()
    page.get_by_role("button", name="Show everything").click()
    everything = ["Lemon curd", "Lemons, six"]
    expect(texts(page)).to_have_text(["Bread", *everything] if filtered == "search" else everything)


def test_a_board_is_made_by_going_to_it(open_wall: OpenWall) -> None:
    page = open_wall()
    page.get_by_role("button", name="board test-").click()
    page.get_by_label("Go to another board, or make one").fill("Café List 7")
    page.get_by_role("button", name="Go", exact=True).click()
    page.wait_for_url("**/b/cafe-list-7")
    expect(page.get_by_text("Live", exact=True)).to_be_visible()
