"""Notes are hung somewhere else: one or several, by mouse, touch and key; everybody sees the same order."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import httpx
import pytest
from playwright.sync_api import Locator, Page, Route, expect

from tests.browser.test_access import complaints
from tests.harness.clients import wait_for
from tests.harness.wall import note, texts

if TYPE_CHECKING:
    from tests.browser.conftest import OpenWall, Pin
    from tests.harness.local import LocalStack

pytestmark = pytest.mark.browser

FIVE = ["E", "D", "C", "B", "A"]


@pytest.fixture
def five(pin: Pin) -> None:
    """A board with five notes."""
    for text in reversed(FIVE):
        pin(text)


def stored(stack: LocalStack, board: str) -> list[dict[str, Any]]:
    """The notes as they hang, as the API tells them."""
    query = {"board": board, "order": "position", "limit": "200"}
    answer = httpx.get(f"{stack.base_url}/api/notes", params=query, trust_env=False)
    notes: list[dict[str, Any]] = answer.json()["notes"]
    return notes


def expect_order(order: list[str], *pages: Page) -> None:
    for page in pages:
        expect(texts(page)).to_have_text(order)


# The left quarter of the letters of a note.
LETTERS = """text => {
  const range = document.createRange();
  range.selectNodeContents(text);
  const { x, y, width, height } = range.getBoundingClientRect();
  return [x + width / 4, y + height / 2];
}"""


def middle(card: Locator) -> tuple[float, float]:
    box = card.bounding_box()
    assert box
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def drag(page: Page, text: str, onto: str, let_go: bool = True) -> None:
    """Takes a note by mouse, and lets it go over the upper half of another one."""
    page.mouse.move(*middle(note(page, text).locator(".text")))
    page.mouse.down()
    x, y = middle(note(page, onto))

    def is_over() -> bool:
        page.mouse.move(x, y - 60, steps=5)
        page.mouse.move(x, y - 40)
        return page.locator(".drop").is_visible()

    # The script for it comes with the first move, and may be late for those that follow at once.
    wait_for(is_over, "the place where the note would hang")
    if let_go:
        page.mouse.up()


@pytest.mark.usefixtures("five")
def test_a_note_is_dragged_by_mouse_and_everybody_sees_it_until_it_is_undone(
    open_wall: OpenWall,
    stack: LocalStack,
    board: str,
) -> None:
    here, there = open_wall(), open_wall()
    drag(here, "A", "D", let_go=False)
    here.keyboard.press("Escape")
    here.mouse.up()
    # Who begins on letters selects them.
    x, y = note(here, "C").locator(".text").evaluate(LETTERS)
    here.mouse.move(x, y)
    here.mouse.down()
    here.mouse.move(x + 120, y, steps=5)
    expect(here.locator("[data-held]")).to_have_count(0)
    here.mouse.up()
    assert here.evaluate("String(getSelection())").strip() == "C"
    drag(here, "A", "D")
    moved = ["E", "A", "D", "C", "B"]
    expect_order(moved, here, there)
    expect(here.get_by_text("Note moved.")).to_be_visible()
    expect(here.get_by_role("log")).to_have_text("Now in place 2 of 5.")
    assert [one["text"] for one in stored(stack, board)] == moved
    here.reload()
    expect_order(moved, here)
    drag(here, "E", "B")
    expect_order(["A", "D", "C", "E", "B"], here, there)
    here.keyboard.press("Control+z")
    expect_order(moved, here, there)
    # Escape lets go where it was.
    drag(here, "B", "E", let_go=False)
    assert complaints(here) == ""
    here.keyboard.press("Escape")
    here.mouse.up()
    expect(here.locator(".drop")).to_have_count(0)
    expect_order(moved, here, there)
    # What the server refuses hangs where it hung.
    here.route("**/api/notes/*", lambda route: route.fulfill(status=422, json={"detail": "No."}), times=1)
    with here.expect_response("**/api/notes/*"):
        drag(here, "B", "E")
    expect_order(moved, here, there)


def touch(page: Page) -> Any:
    """Sends touches as a screen does."""
    session = page.context.new_cdp_session(page)

    def send(kind: str, *points: tuple[float, float]) -> None:
        session.send(
            "Input.dispatchTouchEvent",
            {"type": kind, "touchPoints": [{"x": x, "y": y} for x, y in points]},
        )

    return send


def test_a_long_press_takes_a_note_by_touch_and_a_short_one_scrolls(open_wall: OpenWall, pin: Pin) -> None:
    for number in range(9):
        pin(f"Note {number}")
    page = open_wall(has_touch=True, is_mobile=True, viewport={"width": 390, "height": 700})
    send = touch(page)
    page.get_by_label("New note").tap()  # what moves notes is loaded now
    expect(page.locator("link[href$='arranging.css']")).to_have_count(1)
    order = [f"Note {number}" for number in reversed(range(9))]
    x, y = middle(note(page, "Note 8"))
    send("touchStart", (x, y))
    for step in range(1, 9):
        send("touchMove", (x, y - 30 * step))
    send("touchEnd")
    wait_for(lambda: page.evaluate("scrollY") > 60, "a wall that scrolls", 20)
    expect_order(order, page)
    page.evaluate("scrollTo(0, 0)")
    note(page, "Note 7").scroll_into_view_if_needed()
    x, y = middle(note(page, "Note 7"))
    send("touchStart", (x, y))
    expect(page.locator("[data-held]")).to_have_count(1)
    # At the edge of the view the wall scrolls, and shows what is further down.
    before = page.evaluate("scrollY")
    for step in range(1, 9):
        send("touchMove", (x, y + (660 - y) * step / 8))
    wait_for(lambda: page.evaluate("scrollY") > before + 600, "a wall that scrolls by itself", 20)
    send("touchMove", (x, 350))
    send("touchEnd")
    expect(page.locator("[data-held]")).to_have_count(0)
    expect(page.get_by_text("Note moved.")).to_be_visible()
    assert texts(page).all_inner_texts().index("Note 7") > 2


@pytest.mark.usefixtures("five")
def test_notes_are_moved_by_key_and_two_who_move_at_once_end_with_the_same_order(
    open_wall: OpenWall,
    stack: LocalStack,
    board: str,
) -> None:
    here, there = open_wall(), open_wall()
    here.get_by_role("button", name="Edit: C").focus()
    for key, order in (
        ("ArrowUp", "ECDBA"), ("Home", "CEDBA"), ("ArrowUp", "CEDBA"),
        ("ArrowRight", "ECDBA"), ("End", "EDBAC"),
    ):  # fmt: skip
        here.keyboard.press(f"Alt+{key}")
        expect_order(list(order), here, there)
        expect(here.get_by_role("button", name="Edit: C")).to_be_focused()
    expect(here.get_by_role("log")).to_have_text("Now in place 5 of 5.")
    # Both want the same place, and each hears of the other only later.
    held: list[Route] = []
    for page, text in ((here, "A"), (there, "B")):
        page.route("**/api/notes/*", lambda route: held.append(route), times=1)
        page.get_by_role("button", name=f"Edit: {text}").focus()
        page.keyboard.press("Alt+Home")
        expect(texts(page).first).to_have_text(text)
    while len(held) < 2:
        here.wait_for_timeout(50)
    for request in held:
        request.continue_()
    for page in (here, there):
        expect(texts(page).nth(2)).to_have_text("E")
    end = "".join(one["text"] for one in stored(stack, board))
    assert sorted(end[:2]) == ["A", "B"]
    assert end[2:] == "EDC"
    expect_order(list(end), here, there)
    # Two notes at one position leave room for a third one between them all the same.
    both = stored(stack, board)[:2]
    for one in both:
        address = f"{stack.base_url}/api/notes/{one['id']}"
        assert httpx.patch(address, json={"position": "zz"}, trust_env=False).status_code == 200
    first, second = (one["text"] for one in stored(stack, board)[:2])
    expect_order([first, second, *"EDC"], here, there)
    here.get_by_role("button", name="Edit: E").focus()
    here.keyboard.press("Alt+ArrowUp")
    expect_order([first, "E", second, *"DC"], here, there)
    assert [one["text"] for one in stored(stack, board)] == [first, "E", second, *"DC"]


@pytest.mark.usefixtures("five")
def test_several_notes_are_moved_coloured_ticked_and_deleted_and_one_undo_brings_all_back(
    open_wall: OpenWall,
) -> None:
    here, there = open_wall(), open_wall()
    bar = here.get_by_role("group", name="Selected notes")

    def undo(order: str) -> None:
        here.locator("body").press("Control+z")
        expect(here.get_by_text("Undone.")).to_be_visible()
        expect_order(list(order), here, there)

    note(here, "D").locator(".text").click(modifiers=["Control"])
    note(here, "B").locator(".text").click(modifiers=["Shift"])
    note(here, "C").locator(".text").click(modifiers=["Control"])
    expect(bar.get_by_role("status")).to_have_text("2 notes selected")
    assert complaints(here) == ""
    drag(here, "B", "E")
    expect_order(["D", "B", "E", "C", "A"], here, there)
    undo("EDCBA")
    bar.get_by_role("button", name="To the bottom").click()
    expect_order(["E", "C", "A", "D", "B"], here, there)
    undo("EDCBA")
    bar.get_by_role("button", name="plum").click()
    bar.get_by_role("button", name="Done").click()
    changed = there.locator("article[data-color=plum][data-done]")
    expect(changed).to_have_count(2)
    bar.get_by_role("button", name="Delete").click()
    expect_order(["E", "C", "A"], here, there)
    expect(bar.get_by_role("status")).to_have_text("0 notes selected")
    undo("EDCBA")
    expect(changed).to_have_count(2)
    undo("EDCBA")
    expect(there.locator("article[data-done]")).to_have_count(0)
    undo("EDCBA")
    expect(there.locator("article[data-color=plum]")).to_have_count(0)
    here.keyboard.press("Escape")
    expect(bar).to_have_count(0)
    expect(here.get_by_role("checkbox")).to_have_count(0)


@pytest.mark.usefixtures("five")
@pytest.mark.parametrize("width", [390, 1280])
def test_notes_are_selected_by_key_and_by_touch_in_a_mode_of_its_own(
    open_wall: OpenWall,
    width: int,
) -> None:
    page = open_wall(viewport={"width": width, "height": 800}, has_touch=True)
    opener = page.get_by_role("button", name="Select notes")
    opener.focus()
    page.keyboard.press("Enter")
    expect(opener).to_have_attribute("aria-pressed", "true")
    status = page.get_by_role("group", name="Selected notes").get_by_role("status")
    page.get_by_role("checkbox", name="Select: C").focus()
    page.keyboard.press("Space")
    expect(status).to_have_text("1 note selected")
    page.keyboard.press("Alt+ArrowUp")
    expect_order(["E", "C", "D", "B", "A"], page)
    expect(page.get_by_role("checkbox", name="Select: C")).to_be_focused()
    note(page, "D").tap()
    expect(status).to_have_text("2 notes selected")
    assert complaints(page) == ""
    page.get_by_role("button", name="Close").tap()
    expect(page.get_by_role("checkbox")).to_have_count(0)
    page.get_by_role("button", name="Edit: C").focus()
    page.keyboard.press("Alt+End")
    expect_order(["E", "D", "B", "A", "C"], page)
