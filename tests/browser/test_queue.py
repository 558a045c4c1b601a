"""What is done without a network waits, is shown at once, and is sent once and in order. Nothing is lost."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import httpx
import pytest
from playwright.sync_api import Page, Route, expect

from tests.browser.test_access import complaints
from tests.browser.test_kept import open_kept
from tests.harness.chromium import ELSEWHERE
from tests.harness.wall import act, edit, note, save, texts, write

if TYPE_CHECKING:
    from tests.browser.conftest import OpenWall, Pin
    from tests.harness.cable import Cable
    from tests.harness.local import LocalStack

pytestmark = pytest.mark.browser


def ask(stack: LocalStack, path: str, **query: str) -> dict[str, Any]:
    """What the stack answers, without the cable."""
    answer = httpx.get(f"{stack.base_url}{path}", params=query, trust_env=False, timeout=30)
    told: dict[str, Any] = answer.raise_for_status().json()
    return told


def told(stack: LocalStack, board: str, cursor: str, count: int) -> list[dict[str, Any]]:
    """At least `count` events after a cursor. One poll answers with the first of them, as it has them."""
    events: list[dict[str, Any]] = []
    while len(events) < count:
        answer = ask(stack, "/ws/poll", topic=f"board:{board}", since=cursor)
        if not answer["events"]:
            break
        events += answer["events"]
        cursor = answer["cursor"]
    return events


def paint(page: Page, text: str, color: str) -> None:
    """Gives a note another paper."""
    act(page, "Paper", text)
    page.get_by_role("button", name=color).click()


def change(page: Page, before: str, after: str) -> None:
    """Edits a note, and saves it."""
    edit(page, before, after)
    save(page)


def question(page: Page, said: str) -> Any:
    """What is asked about a change that cannot be sent as it is."""
    return page.get_by_role("region", name="To decide").locator("form").filter(has_text=said)


def test_all_that_is_done_offline_outlives_the_tab_and_is_sent_once_and_in_order(
    open_wall: OpenWall, pin: Pin, cable: Cable, stack: LocalStack, board: str
) -> None:
    for text in ("Milk", "Bread", "Soup", "Old"):
        pin(text)
    page = open_kept(open_wall, cable, board, "Old")
    cursor = ask(stack, "/api/notes", board=board)["cursor"]
    cable.cut()
    act(page, "Done", "Milk")
    page.keyboard.press("Alt+Home")
    expect(texts(page)).to_have_text(["Milk", "Old", "Soup", "Bread"])
    change(page, "Bread", "Brown bread")
    expect(page.locator("#message")).to_contain_text("What you did is kept here, and is sent by itself.")
    change(page, "Brown bread", "Rye bread")
    paint(page, "Soup", "plum")
    act(page, "Delete", "Old")
    write(page, "Draft")
    change(page, "Draft", "Fresh")
    act(page, "Done", "Fresh")
    write(page, "Second thoughts")
    act(page, "Delete", "Second thoughts")
    shown = ["Fresh", "Milk", "Soup", "Rye bread"]
    context = page.context
    for again in range(2):
        expect(texts(page)).to_have_text(shown)
        expect(page.get_by_text("Waiting to be sent")).to_have_count(4)
        expect(page.locator("#status")).to_contain_text("5 changes wait for the server")
        if again:
            page.close()
        else:
            page.reload()
    tabs = [context.new_page() for _ in range(2)]
    for tab in tabs:
        tab.goto(f"/b/{board}")
        expect(texts(tab)).to_have_text(shown)
        expect(tab.get_by_role("button", name="Done: Milk")).to_have_attribute("aria-pressed", "true")
    cable.mend()
    for tab in tabs:
        expect(tab.locator("#waits")).to_be_empty(timeout=60_000)
        expect(tab.get_by_text("Waiting to be sent")).to_have_count(0)
        expect(texts(tab)).to_have_text(shown)
    events = told(stack, board, cursor, 5)
    assert [(event["type"], event["data"]["text"]) for event in events] == [
        ("note.updated", "Milk"),
        ("note.updated", "Rye bread"),
        ("note.updated", "Soup"),
        ("note.deleted", "Old"),
        ("note.created", "Fresh"),
    ]
    assert [event["data"]["done"] for event in events] == [True, False, False, False, True]


def test_two_tabs_without_locks_send_what_was_done_in_both_once(
    open_wall: OpenWall, pin: Pin, stack: LocalStack, board: str
) -> None:
    for text in ("Milk", "Bread", "Old"):
        pin(text)
    one = open_wall(f"http://{ELSEWHERE}:{stack.port}")
    assert one.evaluate("[isSecureContext, Boolean(navigator.locks)]") == [False, False]
    other = one.context.new_page()
    other.goto(one.url)
    for tab in (one, other):
        expect(tab.get_by_text("Live", exact=True)).to_be_visible()
        # All that is needed without a network is loaded now.
        act(tab, "Edit", "Milk")
        tab.get_by_role("button", name="Cancel").click()
    cursor = ask(stack, "/api/notes", board=board)["cursor"]
    one.context.set_offline(True)
    act(one, "Done", "Milk")
    write(one, "From one")
    change(one, "Bread", "Brown bread")
    expect(note(other, "Brown bread")).to_be_visible()
    change(other, "Brown bread", "Rye bread")
    act(other, "Delete", "Old")
    write(other, "From the other")
    expect(note(one, "From the other")).to_be_visible()
    act(one, "Done", "From the other")
    one.context.set_offline(False)
    for tab in (one, other):
        expect(tab.locator("#waits")).to_be_empty(timeout=60_000)
        expect(texts(tab)).to_have_text(["From the other", "From one", "Rye bread", "Milk"])
        expect(tab.get_by_role("region", name="To decide")).to_be_hidden()
    events = told(stack, board, cursor, 5)
    assert [(event["data"]["text"], event["data"]["done"]) for event in events] == [
        ("Milk", True),
        ("From one", False),
        ("Rye bread", False),
        ("Old", False),
        ("From the other", True),
    ]


def test_a_note_is_not_replaced_by_one_whose_request_had_its_id(
    open_wall: OpenWall, pin: Pin, stack: LocalStack, board: str
) -> None:
    pin("First")
    page = open_wall()
    taken = page.locator("[data-id]").get_attribute("data-id")
    assert taken
    second = {"board": board, "text": "Second"}
    answer = httpx.post(
        f"{stack.base_url}/api/notes", json=second, headers={"X-Request-Id": taken}, trust_env=False
    )
    answer.raise_for_status()
    expect(texts(page)).to_have_text(["Second", "First"])


def test_what_others_did_meanwhile_is_kept_or_asked_about(open_wall: OpenWall, pin: Pin) -> None:
    for text in ("Bread", "Tea", "Jam", "Short lived", "Stays"):
        pin(text)
    here, there = open_wall(), open_wall()
    # What changes notes is loaded as soon as it is needed.
    act(here, "Edit", "Bread")
    here.get_by_role("button", name="Cancel").click()
    here.context.set_offline(True)
    change(here, "Bread", "Bread, mine")
    act(here, "Done", "Tea")
    paint(here, "Jam", "plum")
    change(here, "Short lived", "Long lived")
    act(here, "Delete", "Stays")
    change(there, "Bread", "Bread, theirs")
    change(there, "Tea", "Green tea")
    paint(there, "Jam", "light blue")
    act(there, "Delete", "Short lived")
    change(there, "Stays", "Stays, changed")
    expect(there.locator("#waits")).to_be_empty()
    expect(here.locator("#status")).to_contain_text("Offline")
    expect(here.locator("#status")).to_contain_text("5 changes wait for the network")
    here.context.set_offline(False)
    expect(here.get_by_text("so it still hangs here")).to_be_visible()
    bread = question(here, "Somebody changed this note meanwhile. It now says: Bread, theirs")
    expect(bread.get_by_label("Text of the note")).to_have_value("Bread, mine")
    jam = question(here, "Somebody chose another paper for this note meanwhile. Jam")
    gone = question(here, "Somebody deleted this note meanwhile.")
    expect(gone.get_by_label("Text of the note")).to_have_value("Long lived")
    expect(texts(here)).to_have_text(["Stays, changed", "Jam", "Green tea", "Bread, theirs"])
    assert complaints(here) == ""
    here.reload()
    bread.get_by_label("Text of the note").fill("Bread, ours")
    bread.get_by_role("button", name="Keep mine").click()
    jam.get_by_role("button", name="Take theirs").click()
    gone.get_by_role("button", name="Pin mine as a new note").click()
    for page in (here, there):
        expect(texts(page)).to_have_text(["Stays, changed", "Long lived", "Jam", "Green tea", "Bread, ours"])
        expect(page.get_by_role("button", name="Done: Green tea")).to_have_attribute("aria-pressed", "true")
        expect(note(page, "Jam").get_by_role("article")).to_have_attribute("data-color", "lightblue")
    expect(here.get_by_role("region", name="To decide")).to_be_hidden()
    expect(here.locator("#waits")).to_be_empty()


def test_a_lost_answer_is_no_conflict(open_wall: OpenWall, pin: Pin, stack: LocalStack, board: str) -> None:
    pin("Told twice")
    pin("Deleted twice")
    pin("Deleted, and not")
    # As on a wall that is served by plain HTTP.
    no_locks = "Object.defineProperty(Navigator.prototype, 'locks', {get: () => undefined})"
    page = open_wall(prepare=lambda page: page.add_init_script(no_locks))
    lost: list[str] = []

    def lose_answer(route: Route) -> None:
        if route.request.method == "GET" or lost.count(route.request.method) > 1:
            return route.fallback()
        lost.append(route.request.method)
        route.fetch()
        return route.abort()

    page.route("**/api/notes/*", lose_answer)
    act(page, "Done", "Told twice")
    expect(page.locator("#message")).to_contain_text("kept here")
    change(page, "Told twice", "Told thrice")
    act(page, "Delete", "Deleted twice")
    act(page, "Delete", "Deleted, and not")
    page.get_by_role("button", name="Undo").click()
    expect(page.locator("#waits")).to_be_empty(timeout=40_000)
    expect(page.get_by_text("Waiting to be sent")).to_have_count(0)
    expect(texts(page)).to_have_text(["Deleted, and not", "Told thrice"])
    expect(page.get_by_role("region", name="To decide")).to_be_hidden()
    stored = ask(stack, "/api/notes", board=board)["notes"]
    assert [(one["text"], one["done"]) for one in stored] == [
        ("Deleted, and not", False),
        ("Told thrice", True),
    ]
    assert stored[1]["version"] == 3
    assert {"PATCH", "DELETE"} <= set(lost)


def test_what_the_server_refuses_for_good_is_shown_and_can_be_tried_again(
    open_wall: OpenWall, pin: Pin
) -> None:
    pin("Plain")
    here, there = open_wall(), open_wall()
    answers = [
        {"status": 503, "json": {"detail": "Later."}, "headers": {"Retry-After": "2"}},
        {"status": 422, "json": {"detail": "Not like this."}},
    ]

    def refuse(route: Route) -> None:
        if route.request.method == "PATCH" and answers:
            route.fulfill(**answers.pop(0))  # type: ignore[arg-type]
        else:
            route.fallback()

    here.route("**/api/notes/*", refuse)
    change(here, "Plain", "Fancy")
    expect(note(here, "Fancy").get_by_text("Waiting to be sent")).to_be_visible()
    expect(here.locator("#status")).to_contain_text("Live")
    expect(here.locator("#status")).to_contain_text("1 change waits for the server")
    refused = question(here, "Not changed. Not like this.")
    for _ in range(2):
        expect(refused.get_by_label("Text of the note")).to_have_value("Fancy")
        expect(texts(here)).to_have_text(["Plain"])
        expect(here.locator("#waits")).to_be_empty()
        here.reload()
    refused.get_by_role("button", name="Try again").click()
    for page in (here, there):
        expect(texts(page)).to_have_text(["Fancy"])
    here.evaluate("() => { Storage.prototype.setItem = () => { throw new Error('full'); }; }")
    here.route("**/api/notes/*", lambda route: route.abort())
    act(here, "Done", "Fancy")
    expect(here.locator("#message")).to_contain_text("this browser has no room for it")
    here.unroute_all(behavior="wait")
    expect(there.get_by_role("button", name="Done: Fancy")).to_have_attribute("aria-pressed", "true")


def test_a_change_on_which_the_server_fails_holds_up_no_other_note_and_is_sent_later(
    open_wall: OpenWall, pin: Pin
) -> None:
    for text in ("Poisoned", "Sound"):
        pin(text)
    here, there = open_wall(), open_wall()
    # Its own time runs as fast as the test wants.
    here.clock.install()
    poisoned = note(here, "Poisoned").get_attribute("data-id")
    here.evaluate(
        "() => { globalThis.patient = AbortSignal.timeout;"
        " AbortSignal.timeout = () => patient.call(AbortSignal, 3000); }"
    )
    answers = [500, 502]

    def fail(route: Route) -> None:
        if answers:
            route.fulfill(status=answers.pop(), json={"detail": "Our mistake."})
        # Else there is no answer.

    here.route(f"**/api/notes/{poisoned}", fail)
    paint(here, "Poisoned", "plum")
    act(here, "Done", "Poisoned")
    act(here, "Done", "Sound")
    label = note(here, "Poisoned").get_by_text("Could not be sent yet")
    for _ in range(80):
        if label.is_visible():
            break
        here.clock.run_for(1000)
        here.wait_for_timeout(100)
    expect(label).to_be_visible()
    expect(there.get_by_role("button", name="Done: Sound")).to_have_attribute("aria-pressed", "true")
    expect(here.locator("#message")).to_contain_text("The server fails on a change.")
    expect(note(here, "Poisoned").get_by_role("article")).to_have_attribute("data-color", "plum")
    assert not answers
    here.evaluate("() => { AbortSignal.timeout = patient; }")
    # One request is left without an answer.
    here.unroute_all(behavior="ignoreErrors")
    here.clock.run_for(60_000)
    changed = note(there, "Poisoned").get_by_role("article")
    expect(changed).to_have_attribute("data-color", "plum")
    expect(changed).to_have_attribute("data-done", "")
    expect(label).to_have_count(0)
    expect(here.locator("#message")).to_be_empty()


def test_a_note_deleted_while_its_change_is_on_the_way_goes_unless_somebody_else_has_changed_it(
    open_wall: OpenWall, pin: Pin
) -> None:
    for text in ("Goes", "Stays", "Refused"):
        pin(text)
    here, there = open_wall(), open_wall()
    on_their_way: list[Route] = []

    def tick_and_delete(text: str) -> Route:
        here.route("**/api/notes/*", lambda route: on_their_way.append(route), times=1)
        with here.expect_request("**/api/notes/*"):
            act(here, "Done", text)
        act(here, "Delete", text)
        return on_their_way.pop()

    tick_and_delete("Goes").continue_()
    expect(note(there, "Goes")).to_have_count(0)
    route = tick_and_delete("Stays")
    change(there, "Stays", "Stays, changed")
    expect(there.locator("#waits")).to_be_empty()
    route.continue_()
    expect(here.get_by_text("so it still hangs here")).to_be_visible()
    tick_and_delete("Refused").fulfill(status=422, json={"detail": "Not like this."})
    for page in (here, there):
        expect(texts(page)).to_have_text(["Stays, changed"])
    expect(here.get_by_role("region", name="To decide")).to_be_hidden()
