"""The page on which one tries the API, under the site's own strict policy."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Literal

import httpx
import pytest
from playwright.sync_api import Browser, ViewportSize, expect

from tests.browser.test_access import complaints

if TYPE_CHECKING:
    from tests.harness.local import LocalStack

pytestmark = pytest.mark.browser

REMEMBER_VIOLATIONS = """
window.violations = [];
document.addEventListener("securitypolicyviolation", (event) => violations.push(event.violatedDirective));
"""


def test_an_operation_can_be_tried_and_nothing_is_refused_by_the_policy(
    chromium: Browser, stack: LocalStack, board: str
) -> None:
    with chromium.new_context(base_url=stack.base_url, color_scheme="dark") as context:
        context.set_default_timeout(60_000)
        page = context.new_page()
        complaints: list[str] = []
        requested: list[str] = []
        page.add_init_script(REMEMBER_VIOLATIONS)
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(error.message))
        page.on("request", lambda request: requested.append(request.url))
        page.goto("/docs")
        described = httpx.get(f"{stack.base_url}/api/openapi.json", trust_env=False).json()["paths"]
        methods = {"get", "post", "patch", "delete"}
        operations = sum(len(methods & item.keys()) for item in described.values())
        expect(page.locator(".opblock")).to_have_count(operations)

        create = page.locator("#operations-notes-create_note")
        create.locator(".opblock-summary-control").click()
        create.locator("textarea").fill(json.dumps({"text": "from the page", "board": board}))
        create.get_by_role("button", name="Execute").click()
        expect(create.locator(".live-responses-table").first).to_contain_text("from the page")
        for name in ("notes-list_notes", "tickets-create_ticket"):
            page.locator(f"#operations-{name} .opblock-summary-control").click()
            expect(page.locator(f"#operations-{name}.is-open")).to_be_visible()

        listed = httpx.get(f"{stack.base_url}/api/notes", params={"board": board}, trust_env=False).json()
        assert [note["text"] for note in listed["notes"]] == ["from the page"]
        assert page.evaluate("violations") == []
        assert complaints == []
        assert all(url.startswith((f"{stack.base_url}/", "data:")) for url in requested)


@pytest.mark.parametrize(("width", "theme"), [(320, "dark"), (1280, "light")])
def test_axe_finds_nothing_on_the_pages_for_developers(
    chromium: Browser, stack: LocalStack, theme: Literal["light", "dark"], width: int
) -> None:
    size: ViewportSize = {"width": width, "height": 800}
    with chromium.new_context(base_url=stack.base_url, color_scheme=theme, viewport=size) as context:
        context.set_default_timeout(60_000)
        page = context.new_page()
        page.goto("/")
        page.locator("[popovertarget=boards]").click()
        page.get_by_role("link", name="For programs: the API").click()
        expect(page.locator(".opblock").first).to_be_visible()
        create = page.locator("#operations-notes-create_note")
        create.locator(".opblock-summary-control").click()
        create.locator("textarea").fill("{}")
        create.get_by_role("button", name="Execute").click()
        expect(create.locator(".live-responses-table").first).to_be_visible()
        # Swagger UI's own structure is its own; how it looks is ours.
        assert complaints(page, "color-contrast", "target-size") == ""
        page.get_by_role("link", name="The events").click()
        described = httpx.get(f"{stack.base_url}/ws/asyncapi.json", trust_env=False).json()
        parts = described["components"]["schemas"]
        expect(page.locator("article")).to_have_count(len(parts))
        for name in described["components"]["messages"].values():
            expect(page.get_by_role("heading", name=name["name"], exact=True).first).to_be_visible()
        assert complaints(page) == ""
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
