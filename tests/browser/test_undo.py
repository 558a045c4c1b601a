"""What was done on the wall can be taken back, by a button and by Ctrl+Z."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from playwright.sync_api import Page, expect

from tests.browser.test_arranging import middle
from tests.harness.chromium import until
from tests.harness.clients import wait_for
from tests.harness.wall import act, edit, note, save, texts

if TYPE_CHECKING:
    from tests.browser.conftest import OpenWall, Pin
    from tests.harness.local import LocalStack

pytestmark = pytest.mark.browser


def stored(stack: LocalStack, board: str) -> list[dict[str, Any]]:
    """The notes of the board, newest first, as the API tells them."""
    answer = httpx.get(f"{stack.base_url}/api/notes", params={"board": board}, trust_env=False)
    notes: list[dict[str, Any]] = answer.json()["notes"]
    return notes


def press_undo(page: Page) -> None:
    """Ctrl+Z, while nothing is being written."""
    page.locator("body").click(position={"x": 5, "y": 400})
    page.keyboard.press("Control+z")


def test_a_double_click_deletes_once_and_can_be_undone(open_wall: OpenWall, pin: Pin) -> None:
    for text in ("Next", "Twice"):
        pin(text)
    page = open_wall(viewport={"width": 390, "height": 800})
    x, y = middle(note(page, "Twice").get_by_role("button", name="Delete: "))
    page.mouse.click(x, y)
    # By the second click, the next note has taken its place.
    expect(texts(page)).to_have_text(["Next"])
    until(page, "([x, y]) => document.elementFromPoint(x, y).closest('[data-act=delete]')", [x, y])
    page.mouse.down(click_count=2)
    page.mouse.up(click_count=2)
    page.get_by_role("button", name="Undo").click()
    expect(texts(page)).to_have_text(["Twice", "Next"])


def test_a_deleted_note_comes_back_as_the_same_note_in_its_place(
    open_wall: OpenWall, pin: Pin, stack: LocalStack, board: str
) -> None:
    for text in ("Older", "Not this one", "Newer"):
        pin(text)
    here, there = open_wall(), open_wall()
    before = stored(stack, board)
    by_button: Callable[[], object] = here.get_by_role("button", name="Undo").click
    by_key: Callable[[], object] = partial(press_undo, here)
    for undo in (by_button, by_key):
        act(here, "Delete", "Not this one")
        expect(here.get_by_text("Note deleted.")).to_be_visible()
        for page in (here, there):
            expect(texts(page)).to_have_text(["Newer", "Older"])
        undo()
        for page in (here, there):
            expect(texts(page)).to_have_text(["Newer", "Not this one", "Older"])
        expect(here.get_by_text("Undone.")).to_be_visible()
    after = stored(stack, board)
    assert [(one["id"], one["created_at"]) for one in after] == [
        (one["id"], one["created_at"]) for one in before
    ]


def test_edits_ticks_and_colours_are_taken_back_one_after_the_other(open_wall: OpenWall, pin: Pin) -> None:
    pin("One")
    here, there = open_wall(), open_wall()
    edit(here, "One", "Two")
    save(here)
    expect(here.get_by_text("Note changed.")).to_be_visible()
    act(here, "Done", "Two")
    expect(here.get_by_text("Ticked off.", exact=True)).to_be_visible()
    act(here, "Paper", "Two")
    here.get_by_role("button", name="plum").click()
    expect(here.get_by_text("Paper changed.")).to_be_visible()
    act(here, "Delete", "Two")
    expect(texts(there)).to_have_count(0)
    paper = there.get_by_role("article")
    done = there.get_by_role("button", name="Done: ")
    press_undo(here)
    expect(paper).to_have_attribute("data-color", "plum")
    press_undo(here)
    expect(paper).to_have_attribute("data-color", "khaki")
    expect(done).to_have_attribute("aria-pressed", "true")
    press_undo(here)
    expect(done).to_have_attribute("aria-pressed", "false")
    press_undo(here)
    for page in (here, there):
        expect(texts(page)).to_have_text(["One"])


def test_the_last_twenty_are_kept(open_wall: OpenWall, pin: Pin) -> None:
    pin("Ticked")
    page = open_wall()
    done = page.get_by_role("button", name="Done: ")
    act(page, "Edit", "Ticked")
    page.get_by_label("Text of the note").fill("Ticked often")
    save(page)
    for number in range(20):
        with page.expect_response(lambda response: response.request.method == "PATCH"):
            act(page, "Done", "Ticked often")
        expect(done).to_have_attribute("aria-pressed", str(number % 2 == 0).lower())
    for number in range(20):
        with page.expect_response(lambda response: response.request.method == "PATCH"):
            press_undo(page)
        expect(done).to_have_attribute("aria-pressed", str(number % 2 == 0).lower())
    press_undo(page)
    expect(texts(page)).to_have_text(["Ticked often"])


def test_the_undo_of_others_changes_is_refused(open_wall: OpenWall, pin: Pin) -> None:
    pin("Mine")
    here, there = open_wall(), open_wall()
    edit(here, "Mine", "Mine again")
    save(here)
    edit(there, "Mine again", "Theirs")
    save(there)
    expect(texts(here)).to_have_text(["Theirs"])
    here.get_by_role("button", name="Undo").click()
    expect(here.get_by_text("Not undone. Somebody changed this note meanwhile.")).to_be_visible()
    expect(texts(there)).to_have_text(["Theirs"])


def test_an_undo_that_finds_no_server_is_sent_later(open_wall: OpenWall, pin: Pin) -> None:
    pin("Back soon")
    page, there = open_wall(), open_wall()
    act(page, "Delete", "Back soon")
    expect(note(there, "Back soon")).to_have_count(0)
    page.route("**/api/notes/*/restore", lambda route: route.abort(), times=1)
    page.get_by_role("button", name="Undo").click()
    for one in (page, there):
        expect(note(one, "Back soon")).to_be_visible()


def test_a_note_that_is_not_kept_any_more_comes_back_as_a_new_one(
    open_wall: OpenWall, pin: Pin, stack: LocalStack, board: str
) -> None:
    pin("Long gone")
    page = open_wall()
    act(page, "Delete", "Long gone")
    expect(page.get_by_text("Note deleted.")).to_be_visible()
    expect(note(page, "Long gone")).to_have_count(0)
    kept = [f"{kind}:{{board:{board}}}:deleted" for kind in ("notes", "folded", "order")]
    # The page says so before the server has answered.
    wait_for(lambda: stack.redis_cli("DEL", *kept) == "3", "the note among those that were deleted")
    page.get_by_role("button", name="Undo").click()
    expect(note(page, "Long gone")).to_be_visible()


def test_a_draft_of_a_note_that_was_deleted_here_comes_back_with_it(open_wall: OpenWall, pin: Pin) -> None:
    pin("Draft")
    page = open_wall()
    edit(page, "Draft", "Draft, second half")
    page.keyboard.press("Escape")
    act(page, "Delete", "Draft")
    expect(note(page, "Draft")).to_have_count(0)
    page.get_by_role("button", name="Undo").click()
    act(page, "Edit", "Draft")
    expect(page.get_by_label("Text of the note")).to_have_value("Draft, second half")


def test_ctrl_z_belongs_to_the_field_while_somebody_writes(open_wall: OpenWall, pin: Pin) -> None:
    pin("Gone")
    page = open_wall()
    act(page, "Delete", "Gone")
    expect(page.get_by_text("Note deleted.")).to_be_visible()
    field = page.get_by_label("New note")
    field.press_sequentially("ab")
    field.press("Control+z")
    expect(field).not_to_have_value("ab")
    expect(page.get_by_role("listitem")).to_have_count(0)
