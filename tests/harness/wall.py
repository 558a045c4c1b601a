"""What tests do on the wall, and what they look for."""

from __future__ import annotations

from playwright.sync_api import Locator, Page, expect


def note(page: Page, text: str) -> Locator:
    """The notes on the wall that say just this."""
    return page.get_by_role("listitem").filter(has=page.get_by_text(text, exact=True))


def texts(page: Page) -> Locator:
    """The texts on the wall, newest first."""
    return page.get_by_role("listitem").locator(".text")


def write(page: Page, text: str) -> None:
    """Fills in the form and sends it off."""
    page.get_by_label("New note").fill(text)
    page.get_by_role("button", name="Pin it").click()


def act(page: Page, what: str, text: str) -> None:
    """Presses a button of the note that says this: Done, Edit, Paper or Delete."""
    card = note(page, text)
    card.hover()
    card.get_by_role("button", name=f"{what}: ").click()


def edit(page: Page, before: str, after: str) -> None:
    """Opens the note's editor and writes something else, without saving."""
    act(page, "Edit", before)
    page.get_by_label("Text of the note").fill(after)


def save(page: Page) -> None:
    """Saves what is in the only open editor."""
    page.get_by_role("button", name="Save").click()


def expect_transport(page: Page, name: str, seconds: float = 30) -> None:
    """Waits until the page is live by this transport: WebSocket, event stream or polling."""
    expect(page.locator("#status")).to_have_text(f"Live {name}", timeout=seconds * 1000)
