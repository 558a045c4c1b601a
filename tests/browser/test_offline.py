"""Notes that are written without a network are kept, and pinned once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx
import pytest
from playwright.sync_api import Error, Route, expect

from tests.harness.wall import note, texts, write

if TYPE_CHECKING:
    from tests.browser.conftest import OpenWall, Pin
    from tests.harness.cable import Cable
    from tests.harness.local import LocalStack

pytestmark = pytest.mark.browser


def stored(stack: LocalStack, board: str) -> list[str]:
    """What hangs on the board, newest first, as the API tells it."""
    answer = httpx.get(f"{stack.base_url}/api/notes", params={"board": board}, trust_env=False)
    return [one["text"] for one in answer.json()["notes"]]


def test_notes_written_offline_are_pinned_once_and_in_order_on_return(
    open_wall: OpenWall, stack: LocalStack, board: str
) -> None:
    page, other = open_wall(), open_wall()
    page.context.set_offline(True)
    for text in ("One", "Two", "Three"):
        write(page, text)
    expect(page.get_by_text("Waiting to be sent")).to_have_count(3)
    expect(page.get_by_text("Offline", exact=True)).to_be_visible()
    page.context.set_offline(False)
    for one in (page, other):
        expect(texts(one)).to_have_text(["Three", "Two", "One"], timeout=20_000)
    expect(page.get_by_text("Waiting to be sent")).to_have_count(0)
    assert stored(stack, board) == ["Three", "Two", "One"]


def test_notes_written_offline_outlive_a_reload(open_wall: OpenWall, stack: LocalStack, board: str) -> None:
    page = open_wall()
    page.context.set_offline(True)
    write(page, "Kept over a reload")
    expect(page.get_by_text("Waiting to be sent")).to_be_visible()
    before = {"key": "a-key", "at": 1, "board": board, "text": "Of the version before", "color": "plum"}
    page.evaluate("(entry) => localStorage['corkboard:note:a-key'] = JSON.stringify(entry)", before)
    with pytest.raises(Error, match="ERR_INTERNET_DISCONNECTED"):
        page.reload()
    page.context.set_offline(False)
    page.goto(f"/b/{board}")
    expect(texts(page)).to_have_text(["Kept over a reload", "Of the version before"])
    expect(page.get_by_text("Waiting to be sent")).to_have_count(0)
    page.reload()
    expect(texts(page)).to_have_text(["Kept over a reload", "Of the version before"])
    assert stored(stack, board) == ["Kept over a reload", "Of the version before"]


def test_a_note_whose_answer_was_lost_before_a_reload_is_pinned_once(
    open_wall: OpenWall, stack: LocalStack, board: str
) -> None:
    # No event says that it was pinned.
    page = open_wall(wait=False, prepare=lambda page: page.route("**/ws/**", lambda route: route.abort()))

    def lose_answer(route: Route) -> None:
        if route.request.method == "POST":
            route.fetch()
            route.abort()
        else:
            route.continue_()

    page.route("**/api/notes*", lose_answer)
    write(page, "Sent twice")
    expect(page.locator("#message")).to_contain_text("kept here")
    page.unroute_all(behavior="wait")
    page.reload()
    expect(texts(page)).to_have_text(["Sent twice"])
    expect(page.get_by_text("Waiting to be sent")).to_have_count(0)
    assert stored(stack, board) == ["Sent twice"]


def test_a_busy_server_is_asked_again_when_it_said(open_wall: OpenWall) -> None:
    page = open_wall()

    def busy(route: Route) -> None:
        route.fulfill(status=503, json={"detail": "Back in a moment."}, headers={"Retry-After": "5"})

    page.route("**/api/notes", busy, times=1)
    write(page, "Patience")
    expect(page.locator("#message")).to_have_text(
        "The server cannot answer just now. What you did is kept here, and is sent by itself."
    )
    expect(page.get_by_text("Waiting to be sent")).to_have_count(0, timeout=30_000)
    expect(note(page, "Patience")).to_have_count(1)
    expect(page.locator("#message")).to_have_text("")


@pytest.mark.parametrize("status", [422, 507])
def test_a_note_that_the_server_refuses_for_good_goes_back_to_the_form(
    open_wall: OpenWall, status: int
) -> None:
    page = open_wall()
    refusal = {"detail": "Not like this."}
    page.route("**/api/notes", lambda route: route.fulfill(status=status, json=refusal), times=1)
    write(page, "Refused")
    expect(page.get_by_label("New note")).to_have_value("Refused")
    expect(page.locator("#message")).to_have_text("Not like this.")
    expect(page.get_by_role("listitem")).to_have_count(0)


def test_a_note_for_another_board_that_is_refused_for_good_waits_in_the_form_of_that_board(
    open_wall: OpenWall, board: str
) -> None:
    page = open_wall()
    page.route("**/api/notes", lambda route: route.abort())
    write(page, "Refused")
    expect(page.get_by_text("Waiting to be sent")).to_be_visible()
    page.get_by_label("New note").fill("Half a thought")
    # Before it tries again.
    page.goto("about:blank")
    page.unroute_all(behavior="wait")
    refusal = {"detail": "The board is full."}
    page.route("**/api/notes", lambda route: route.fulfill(status=507, json=refusal), times=1)
    page.goto(f"/b/{board}-next")
    expect(page.locator("#message")).to_have_text(
        f"The board is full. What you wrote for the board {board} is in its form."
    )
    expect(page.get_by_label("New note")).to_have_value("")
    page.goto(f"/b/{board}")
    expect(page.get_by_label("New note")).to_have_value("Half a thought\n\nRefused")
    expect(page.get_by_text("Waiting to be sent")).to_have_count(0)


def test_a_board_that_cannot_be_fetched_says_so_and_appears_later(open_wall: OpenWall, pin: Pin) -> None:
    pin("Here after all")
    page = open_wall()
    page.route("**/api/notes?*", lambda route: route.fulfill(status=503, json={"detail": "Away."}))
    page.reload()
    expect(page.locator("#message")).to_contain_text(
        "The notes could not be fetched, trying again. The server cannot"
    )
    page.unroute_all(behavior="wait")
    expect(note(page, "Here after all")).to_be_visible()
    expect(page.locator("#message")).to_have_text("")


def test_a_wall_without_the_sidecar_is_read_and_written_and_goes_live_later(
    open_wall: OpenWall, pin: Pin, cable: Cable
) -> None:
    pin("Here already")
    cable.block("/ws/client/shared.js", "/ws")
    page = open_wall(cable.base_url, wait=False)
    expect(texts(page)).to_have_text(["Here already"])
    write(page, "Written meanwhile")
    expect(page.get_by_text("Waiting to be sent")).to_have_count(0)
    expect(page.get_by_text("Connecting", exact=True)).to_be_visible()
    pin("Not told yet")
    cable.free()
    expect(texts(page)).to_have_text(["Not told yet", "Written meanwhile", "Here already"], timeout=30_000)
    expect(page.get_by_text("Live", exact=True)).to_be_visible()
