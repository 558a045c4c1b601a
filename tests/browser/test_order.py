"""Everybody sees the same wall: one order, and one place for each note."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import Page, Route, expect

from tests.harness.chromium import until
from tests.harness.wall import act, edit, note, texts, write

if TYPE_CHECKING:
    from tests.browser.conftest import OpenWall, Pin
    from tests.harness.cable import Cable

pytestmark = pytest.mark.browser

DAY = 24 * 60 * 60 * 1000
PLACES = (
    "Object.fromEntries([...document.querySelectorAll('#notes .cell')].map((cell) => "
    "[cell.querySelector('.text').textContent, getComputedStyle(cell).translate]))"
)


@pytest.mark.parametrize("days", [-1, 1])
def test_a_wrong_clock_misplaces_no_note_that_waits(open_wall: OpenWall, pin: Pin, days: int) -> None:
    pin("Before")

    def wrong(page: Page) -> None:
        page.add_init_script(f"{{ const now = Date.now; Date.now = () => now() + {days * DAY}; }}")

    page, other = open_wall(prepare=wrong), open_wall()
    page.route("**/api/notes", lambda route: route.abort())
    write(page, "One")
    write(page, "Two")
    pin("Meanwhile")
    waiting = ["Two", "One", "Meanwhile", "Before"]
    expect(texts(page)).to_have_text(waiting)
    expect(page.get_by_text("Waiting to be sent")).to_have_count(2)
    page.reload()
    expect(texts(page)).to_have_text(waiting)
    page.unroute_all(behavior="wait")
    for one in (page, other):
        expect(texts(one)).to_have_text(waiting)
    expect(page.get_by_text("Waiting to be sent")).to_have_count(0)


def test_a_clock_that_is_set_back_between_two_notes_turns_nothing_round(open_wall: OpenWall) -> None:
    page, other = open_wall(), open_wall()
    page.route("**/api/notes", lambda route: route.abort())
    write(page, "One")
    page.evaluate(f"() => {{ const now = Date.now; Date.now = () => now() - {DAY}; }}")
    write(page, "Two")
    expect(texts(page)).to_have_text(["Two", "One"])
    page.unroute_all(behavior="wait")
    for one in (page, other):
        expect(texts(one)).to_have_text(["Two", "One"])


def test_a_note_whose_answer_was_lost_hangs_where_the_server_has_it(
    open_wall: OpenWall, pin: Pin, cable: Cable
) -> None:
    # Neither an event nor a page of the list says that the note is there.
    cable.block("/ws/client/shared.js", "/ws")
    page = open_wall(cable.base_url, wait=False, viewport={"width": 390, "height": 800})

    def lose_answer(route: Route) -> None:
        route.fetch()
        route.abort()

    page.route("**/api/notes", lose_answer)
    with page.expect_event("requestfailed", lambda request: request.method == "POST"):
        write(page, "Mine")
    for number in range(50):
        pin(f"Later {number}")
    later = [f"Later {number}" for number in reversed(range(50))]
    search = page.get_by_label("Search notes")
    search.fill("Later")
    expect(texts(page)).to_have_text(["Mine", *later])
    with page.expect_response("**/api/notes?*"):
        search.fill("")
    expect(texts(page)).to_have_text(["Mine", *later])
    page.unroute_all(behavior="wait")
    # By itself it would wait for longer and longer.
    page.evaluate("dispatchEvent(new Event('online'))")
    expect(texts(page)).to_have_text([*later, "Mine"])


def test_the_wall_is_the_same_whatever_was_added_and_deleted_before(open_wall: OpenWall, pin: Pin) -> None:
    for number in range(6):
        pin(f"Old {number} " + "word " * (number * 7 % 40))
    early = open_wall()
    for number in range(12):
        pin(f"New {number} " + "word " * (number * 11 % 50))
    for number in (0, 3, 7, 8):
        gone = early.get_by_role("listitem").filter(has_text=f"New {number} ")
        gone.hover()
        gone.get_by_role("button", name="Delete: ").click()
    act_on = early.get_by_role("listitem").filter(has_text="Old 2 ")
    act_on.hover()
    act_on.get_by_role("button", name="Done: ").click()
    late = open_wall()
    for page in (early, late):
        expect(page.get_by_role("listitem")).to_have_count(14)
    places = late.evaluate(PLACES)
    assert len(set(places.values())) == 14
    until(early, f"(places) => JSON.stringify({PLACES}) === JSON.stringify(places)", places)


def test_nothing_moves_while_somebody_writes_on_a_note(open_wall: OpenWall, pin: Pin) -> None:
    for number in range(6):
        pin(f"Note {number}")
    page = open_wall()
    edit(page, "Note 3", "Note 3, longer")
    before = page.evaluate(PLACES)
    pin("Fresh")
    expect(page.get_by_role("button", name="1 new note")).to_be_visible()
    assert page.evaluate(PLACES) == before
    page.keyboard.press("Escape")
    expect(note(page, "Fresh")).to_be_visible()
    expect(page.get_by_role("button", name="1 new note")).to_be_hidden()


def test_a_long_text_in_the_form_moves_no_note_to_another_column(open_wall: OpenWall, pin: Pin) -> None:
    for number in range(9):
        pin(f"Note {number}")
    page = open_wall()
    columns = f"Object.entries({PLACES}).map(([text, place]) => [text, parseInt(place)])"
    before = page.evaluate(columns)
    height = "document.querySelector('#composer').offsetHeight"
    low = page.evaluate(height)
    page.get_by_label("New note").fill("line\n" * 14)
    until(page, f"{height} > {low} + 100")
    act(page, "Done", "Note 8")
    assert page.evaluate(columns) == before
