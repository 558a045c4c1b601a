"""What a person sees while the app is away."""

from __future__ import annotations

from playwright.sync_api import Browser, expect

from tests.harness.edge import Edge, foreign_app
from tests.harness.local import free_port


def test_a_page_of_an_app_that_is_away_comes_by_itself_when_the_app_is_back(chromium: Browser) -> None:
    port = free_port()
    with (
        Edge(f"127.0.0.1:{port}") as edge,
        chromium.new_context() as context,
        chromium.new_context(locale="de-AT") as german,
    ):
        page = german.new_page()
        page.goto(f"{edge.base_url}/some/page")
        expect(page.get_by_role("heading")).to_have_text("Kurz nicht da")
        expect(page.get_by_text("Diese Seite versucht es alle 3 Sekunden")).to_be_visible()
        page = context.new_page()
        page.goto(f"{edge.base_url}/some/page")
        expect(page.get_by_role("heading")).to_have_text("Away for a moment")
        expect(page.get_by_text("tries again")).to_be_visible()
        with foreign_app(port=port):
            expect(page.get_by_text('"target": "/some/page"')).to_be_visible()
