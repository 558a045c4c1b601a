"""Takes the pictures of the README from a running stack: python -m tests.harness.screenshots [URL]

Fills the board `kitchen` over the API unless it has notes; writes wall-light.webp and wall-dark.webp
into docs/images/. They are as most people see the wall where Comic Neue and Noto Color Emoji are installed.
"""

from __future__ import annotations

import base64
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
NAMES = [{"name": "Ines", "color": "pink"}, {"name": "Ada", "color": "blue"}]
# A third of what a PNG takes. The browser encodes it by itself.
ENCODE = """async (png) => {
  const image = new Image();
  image.src = `data:image/png;base64,${png}`;
  await image.decode();
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [image.width, image.height];
  canvas.getContext("2d").drawImage(image, 0, 0);
  return canvas.toDataURL("image/webp", 0.85).split(",")[1];
}"""

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
    # Tabs of one browser are one person.
    others = [browser.new_context(base_url=base_url) for _ in NAMES]
    for other, name in zip(others, NAMES, strict=True):
        other.add_init_script(f"localStorage['corkboard:me'] = '{json.dumps(name)}'")
        other.new_page().goto(f"/b/{BOARD}")
    expect(page.get_by_text("Ada", exact=True).or_(page.get_by_text("Ines", exact=True)).first).to_be_visible(
        timeout=30_000
    )
    page.bring_to_front()
    expect(page.get_by_role("listitem").first).to_be_visible()
    expect(page.get_by_text("Live", exact=True)).to_be_visible()
    expect(page.get_by_text("3 people here")).to_be_attached(timeout=30_000)
    page.get_by_label("khaki").check()
    page.evaluate("document.activeElement.blur()")
    png = base64.b64encode(page.screenshot()).decode()
    plain = context.new_page()
    path.write_bytes(base64.b64decode(plain.evaluate(ENCODE, png)))
    for each in (context, *others):
        each.close()


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
        picture(browser, base_url, "light", IMAGES / "wall-light.webp")
        picture(browser, base_url, "dark", IMAGES / "wall-dark.webp")
        browser.close()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
