"""Takes the pictures of the README from a running stack: python -m tests.harness.screenshots [URL]

Fills the board `kitchen` over the API unless it has notes; writes wall-light.png and wall-dark.png
into docs/images/.
"""

from __future__ import annotations

import json
import sys
import urllib.request
from pathlib import Path
from typing import Literal

from playwright.sync_api import Browser, expect, sync_playwright

from tests.harness.chromium import ARGS, find_chromium

BOARD = "kitchen"
IMAGES = Path(__file__).resolve().parents[2] / "docs" / "images"
SIZE = (1280, 760)

# Oldest first, as they were pinned: colour, done, text.
NOTES: list[tuple[str, bool, str]] = [
    ("lightblue", False, "WiFi for guests: ask the cat. She is sitting on it."),
    ("khaki", True, "Bleed the radiator in the hall"),
    ("plum", False, "Choir moved to Thursday, 19:30. Bring the low voices!"),
    ("lightgreen", False, "Whoever planted the tomatoes on the balcony: thank you. They are wonderful."),
    ("lightsalmon", True, "Return the drill to Mr Okafor (third floor) and a jar of jam with it"),
    ("lightblue", False, "Train to Porto\nFri 7:52, platform 4\nseats 31 + 32"),
    ("khaki", False, "Oat milk\nLemons, six\nThe good olive oil\nCandles for Ines (she is 9!)"),
    ("lightgreen", True, "Water the fern"),
    ("plum", False, "Film night: your turn to pick, and nobody may check their phone"),
    ("khaki", False, "Soup is in the blue pot.\nEat it, it is better today."),
    ("lightsalmon", False, "Found one left glove, red, very small 🧤"),
    ("lightblue", False, "Ring the dentist before noon"),
    ("lightgreen", False, "Picnic on Sunday if the sky behaves. I make the focaccia, you bring the blanket?"),
    ("plum", False, "Happy birthday, Ines!"),
]


def fill(base_url: str) -> None:
    """Pins the notes, unless the board has some."""
    with urllib.request.urlopen(f"{base_url}/api/notes?board={BOARD}&limit=1") as answer:  # noqa: S310
        if json.load(answer)["notes"]:
            return
    for color, done, text in NOTES:
        body = json.dumps({"board": BOARD, "color": color, "done": done, "text": text}).encode()
        request = urllib.request.Request(  # noqa: S310
            f"{base_url}/api/notes", body, {"Content-Type": "application/json"}
        )
        urllib.request.urlopen(request).close()  # noqa: S310


def picture(
    browser: Browser,
    base_url: str,
    theme: Literal["light", "dark"],
    path: Path,
    size: tuple[int, int] = SIZE,
) -> None:
    """Writes a picture of the board in one theme."""
    width, height = size
    context = browser.new_context(
        color_scheme=theme,
        reduced_motion="reduce",
        viewport={"width": width, "height": height},
        base_url=base_url,
        locale="en-GB",
    )
    page = context.new_page()
    page.goto(f"/b/{BOARD}")
    for _ in range(2):
        context.new_page().goto(f"/b/{BOARD}")
    page.bring_to_front()
    expect(page.get_by_role("listitem").first).to_be_visible()
    expect(page.get_by_text("Live", exact=True)).to_be_visible()
    expect(page.get_by_text("3 people here")).to_be_attached()
    page.get_by_label("khaki").check()
    page.evaluate("document.activeElement.blur()")
    page.screenshot(path=path)
    context.close()


def main() -> int:
    """The command."""
    base_url = (sys.argv[1] if len(sys.argv) > 1 else "http://localhost:8080").rstrip("/")
    chromium = find_chromium()
    if chromium is None:
        print("screenshots: there is no Chromium on PATH; install it and try again", file=sys.stderr)
        return 1
    try:
        fill(base_url)
    except OSError as error:
        print(f"screenshots: {base_url} does not answer ({error}); start it with `make up`", file=sys.stderr)
        return 1
    IMAGES.mkdir(exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=ARGS)
        picture(browser, base_url, "light", IMAGES / "wall-light.png")
        picture(browser, base_url, "dark", IMAGES / "wall-dark.png")
        browser.close()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
