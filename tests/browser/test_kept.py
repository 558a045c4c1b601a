"""A board that was open once opens without a network, with what was last seen."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import Page, expect

from tests.harness.clients import wait_for
from tests.harness.wall import note, texts, write

if TYPE_CHECKING:
    from tests.browser.conftest import OpenWall, Pin
    from tests.harness.cable import Cable
    from tests.harness.local import LocalStack

pytestmark = pytest.mark.browser

KEPT = """async ([board, text]) => {
  const list = await caches.match(`/api/notes?board=${board}&order=position&shared=1`);
  return Boolean(list && (await list.text()).includes(text));
}"""

GONE = """async () => {
  const workers = await navigator.serviceWorker.getRegistrations();
  return !workers.length && !(await caches.keys()).length;
}"""


def open_kept(open_wall: OpenWall, cable: Cable, board: str, text: str) -> Page:
    """Opens the board over the cable, and waits until it is kept with a note that says this."""
    page = open_wall(cable.base_url, service_workers="allow")
    expect(note(page, text)).to_be_visible()
    page.mouse.move(5, 5)
    wait_for(lambda: page.evaluate(KEPT, [board, text]), "the page to be kept", 30)
    return page


def test_a_board_opens_without_a_network_with_what_was_last_seen(
    open_wall: OpenWall, pin: Pin, cable: Cable, board: str
) -> None:
    pin("Seen before")
    page = open_kept(open_wall, cable, board, "Seen before")
    cable.cut()
    page.reload()
    expect(texts(page)).to_have_text(["Seen before"])
    write(page, "Written without a network")
    pin("Pinned meanwhile")
    page.reload()
    expect(texts(page)).to_have_text(["Written without a network", "Seen before"])
    cable.mend()
    expect(page.get_by_text("Live", exact=True)).to_be_visible(timeout=60_000)
    for text in ("Written without a network", "Pinned meanwhile", "Seen before"):
        expect(note(page, text)).to_be_visible()
    expect(page.get_by_text("Waiting to be sent")).to_have_count(0)


def test_a_network_that_answers_nothing_counts_as_none(
    open_wall: OpenWall, pin: Pin, cable: Cable, board: str
) -> None:
    pin("Seen before")
    page = open_kept(open_wall, cable, board, "Seen before")
    cable.block(f"/b/{board}", "/api/notes", swallow=True)
    page.reload()
    expect(texts(page)).to_have_text(["Seen before"])


def test_the_wall_can_be_installed(open_wall: OpenWall) -> None:
    page = open_wall(service_workers="allow")
    browser = page.context.new_cdp_session(page)
    told = browser.send("Page.getAppManifest")
    assert told["errors"] == []
    manifest = json.loads(told["data"])
    assert (manifest["id"], manifest["start_url"], manifest["display"]) == ("/", "/", "standalone")
    for icon in manifest["icons"]:
        answer = page.request.get(icon["src"])
        assert (answer.status, answer.headers["content-type"].split(";")[0]) == (200, icon["type"])
    errors = browser.send("Page.getInstallabilityErrors")["installabilityErrors"]
    # Each test has a context of its own, which counts as a private window.
    assert {error["errorId"] for error in errors} <= {"in-incognito"}


def test_another_app_at_the_same_address_is_not_haunted(
    open_wall: OpenWall, pin: Pin, cable: Cable, board: str, front: LocalStack
) -> None:
    pin("Of yesterday")
    page = open_kept(open_wall, cable, board, "Of yesterday")
    cable.lead_to(front.base_url)
    page.goto("/orders")
    wait_for(lambda: page.evaluate(GONE), "the worker to leave", 30)
