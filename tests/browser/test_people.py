"""Who is here, who is editing and who wrote it: by names that people choose, and that may be anything."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import Locator, Page, WebSocketRoute, expect

from tests.browser.test_access import complaints
from tests.harness.api import listed
from tests.harness.clients import Socket, http
from tests.harness.wall import act, edit, note, write

if TYPE_CHECKING:
    from tests.browser.conftest import OpenWall, Pin
    from tests.harness.local import LocalStack

pytestmark = pytest.mark.browser

HOSTILE = '<img src=x onerror="document.title=1">\u202e\u2066\x00' + "Z\u0351" * 200


def look(page: Page) -> Locator:
    """Somebody is there: the button with who is here."""
    page.mouse.move(300, 300)
    page.mouse.move(301, 301)
    people = page.locator("#people").get_by_role("button")
    expect(people).to_be_visible()
    return people


def without_names(page: Page) -> None:
    """As where WHISPER_TOPICS does not name the topic: the server says nothing of people."""

    def answer(browser: WebSocketRoute) -> None:
        def pass_on(message: str | bytes) -> None:
            if json.loads(message)["op"] != "people":
                browser.send(message)

        browser.connect_to_server().on_message(pass_on)

    page.route_web_socket("**/ws", answer)


def choose(page: Page, name: str, color: str) -> None:
    look(page).click()
    page.get_by_label("Your name").fill(name)
    page.get_by_role("radio", name=color, exact=True).check()
    page.get_by_role("button", name="Keep").click()
    expect(page.get_by_label("Your name")).to_be_hidden()


def test_people_see_who_is_here_and_who_is_editing_until_the_editor_closes_or_its_page_goes(
    open_wall: OpenWall, pin: Pin
) -> None:
    pin("Water the fern")
    ada, bob = open_wall(), open_wall()
    expect(look(bob).locator("bdi").first).to_have_text("You")
    choose(ada, "Ada", "teal")
    # Nobody has to choose a name: the other one has been given one.
    expect(look(ada).locator("bdi")).to_have_count(2)
    shown = look(bob).locator(".person").filter(has_text="Ada")
    expect(shown).to_have_attribute("data-person", "teal")
    ada.reload()
    look(ada).click()
    expect(ada.get_by_label("Your name")).to_have_value("Ada")
    expect(ada.get_by_role("radio", name="teal")).to_be_checked()
    ada.keyboard.press("Escape")

    edit(ada, "Water the fern", "Water the ferns")
    late = open_wall()
    look(late)
    for page in (bob, late):
        expect(note(page, "Water the fern").locator(".flag")).to_have_text("Ada is editing")
    assert complaints(bob) == ""
    # It warns, and keeps nobody from it.
    act(bob, "Edit", "Water the fern")
    expect(bob.get_by_label("Text of the note")).to_have_accessible_description("Ada is editing")
    expect(bob.get_by_role("log")).to_have_text("Ada is editing")
    expect(ada.locator(".flag")).to_contain_text("is editing")
    bob.keyboard.press("Escape")
    expect(ada.locator(".flag")).to_have_count(0)
    ada.get_by_role("button", name="Cancel").click()
    expect(bob.locator(".flag")).to_have_count(0)

    act(ada, "Edit", "Water the fern")
    expect(bob.locator(".flag")).to_have_text("Ada is editing")
    ada.close()
    for page in (bob, late):
        expect(page.locator(".flag")).to_have_count(0)
    expect(shown).to_have_count(0)


def test_a_note_says_who_wrote_it_and_any_name_is_text(
    open_wall: OpenWall, stack: LocalStack, board: str
) -> None:
    ada, bob = open_wall(), open_wall()
    choose(ada, "עדה", "pink")
    write(ada, "Ring the dentist")
    expect(note(bob, "Ring the dentist").locator(".author")).to_have_text("עדה")
    with http(stack) as client:
        (written,) = listed(client, board)
        assert written["author"] == "עדה"
        # Where the topic does not allow names, there is the number, as ever.
        expect(look(open_wall(prepare=without_names))).to_have_text("3 people here")
        topic = f"board:{board}"
        with Socket(stack) as socket:
            edits = [written["id"].split(".")[1], "__proto__", {"toString": 1}]
            me = {"name": HOSTILE[:90], "color": '"><script>', "edits": edits}
            socket.send({"op": "subscribe", "topic": topic, "me": me})
            socket.expect("subscribed")
            for number in range(60):
                socket.send({"op": "whisper", "topic": topic, "data": [number] * 300})
            flag = bob.locator(".flag")
            expect(flag).to_contain_text("<img src=x")
            assert bob.locator("#people img, .flag img").count() == 0
            text = flag.inner_text()
            assert not {"\u202e", "\u2066", "\0"} & set(text)
            assert len(text) < 60
            look(bob).click()
            assert complaints(bob) == ""
            assert bob.evaluate("document.documentElement.scrollWidth <= innerWidth")
        expect(flag).to_have_count(0)
