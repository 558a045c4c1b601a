"""The wall speaks the language of whoever reads it: English or German."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx
import pytest
from playwright.sync_api import expect

from tests.harness.wall import note

if TYPE_CHECKING:
    from tests.browser.conftest import OpenWall, Pin
    from tests.harness.local import LocalStack

pytestmark = pytest.mark.browser


def test_the_wall_is_used_in_german(open_wall: OpenWall, pin: Pin) -> None:
    page = open_wall(locale="de-DE")
    expect(page.locator("html")).to_have_attribute("lang", "de")
    expect(page.get_by_text("Hier hängt noch nichts.")).to_be_visible()
    page.get_by_role("radio", name="Pflaume").check()
    page.get_by_label("Neuer Zettel").fill("Brot kaufen")
    page.get_by_role("button", name="Anpinnen").click()
    card = note(page, "Brot kaufen")
    expect(card.get_by_role("article")).to_have_attribute("data-color", "plum")
    expect(page.get_by_text("Wartet auf das Netz")).to_have_count(0)
    card.get_by_role("button", name="Erledigt: Brot kaufen").click()
    expect(page.get_by_text("Abgehakt.")).to_be_visible()
    pin("Von anderswo")
    expect(page.get_by_role("log")).to_have_text("Neuer Zettel: Von anderswo")
    page.get_by_label("Zettel suchen").fill("brot")
    expect(page.locator("#found")).to_have_text("1 Zettel")
    page.route("**/api/notes/*", lambda route: route.abort())
    page.get_by_role("button", name="Löschen: Brot kaufen").click()
    expect(page.get_by_text("1 Änderung wartet auf den Server")).to_be_visible()


def test_whoever_comes_at_once_gets_a_page_in_their_own_language(stack: LocalStack, board: str) -> None:
    """nginx keeps a page for a moment, and for one language."""
    titles = {
        "de-AT,de;q=0.9,en;q=0.8": 'lang="de"',
        "en-GB,en;q=0.9,de;q=0.5": 'lang="en"',
        "fr": 'lang="en"',
    }
    with httpx.Client(base_url=stack.base_url, trust_env=False) as client:
        for accepted, lang in list(titles.items()) * 2:
            headers = {"Accept-Language": accepted, "Accept": "text/html"}
            for path in (f"/b/{board}", "/wall.webmanifest", "/nowhere"):
                answer = client.get(path, headers=headers)
                assert "Accept-Language" in answer.headers["vary"]
                assert lang in answer.text.replace('"lang": ', "lang=")
            assert (
                client.get("/nowhere", headers={"Accept-Language": accepted}).json()["title"] == "Not Found"
            )
