"""Measures the wall in a real browser: python -m tests.harness.frames [URL] [--notes N] [--rate N]

A big board, read to its end; then changes at a steady rate, while the page counts its frames. Prints frames
per second at the top of the board and while scrolling, what the main thread is busy with, and the memory.
"""

from __future__ import annotations

import argparse
import random
import threading
import time
import uuid
from concurrent.futures import ThreadPoolExecutor

import httpx
from playwright.sync_api import CDPSession, Page, expect, sync_playwright

from tests.harness.chromium import ARGS, find_chromium

WORDS = (
    "soup",
    "bread",
    "lemon",
    "Sunday",
    "choir",
    "glove",
    "fern",
    "radiator",
    "platform",
    "blanket",
    "cat",
)
# Frames, and the longest pause between two of them, of some seconds; `step` scrolls so many pixels a frame.
COUNT_FRAMES = """([milliseconds, step]) => new Promise((resolve) => {
  const begin = performance.now();
  let frames = 0, last = begin, worst = 0, direction = 1;
  requestAnimationFrame(function frame(now) {
    frames += 1;
    worst = Math.max(worst, now - last);
    last = now;
    if (step) {
      const before = scrollY;
      scrollBy({ top: step * direction, behavior: "instant" });
      if (scrollY === before) direction = -direction;
    }
    if (now - begin < milliseconds) requestAnimationFrame(frame);
    else resolve([frames / (now - begin) * 1000, worst]);
  });
})"""


class Board:
    """A board full of notes, and somebody who never stops changing it."""

    def __init__(self, base_url: str) -> None:
        self.name = f"measure-{uuid.uuid4().hex[:8]}"
        self._client = httpx.Client(base_url=base_url, trust_env=False, timeout=30)
        self._ids: list[str] = []
        self._stop = threading.Event()
        self.changes = 0

    def fill(self, notes: int) -> None:
        """Pins so many notes."""
        with ThreadPoolExecutor(8) as pool:
            self._ids = list(pool.map(lambda _: self._pin(), range(notes)))

    def change(self, rate: float) -> None:
        """Pins, edits, ticks off and deletes, `rate` times a second, until `stop`."""
        started = time.monotonic()
        while not self._stop.wait(max(0.0, started + self.changes / rate - time.monotonic())):
            self.changes += 1
            note = random.choice(self._ids[-60:])
            kind = self.changes % 4
            if kind == 0:
                self._ids.append(self._pin())
            elif kind == 1:
                self._client.patch(f"/api/notes/{note}", json={"done": random.random() < 0.5})
            elif kind == 2:
                self._client.patch(f"/api/notes/{note}", json={"text": self._text()})
            else:
                self._ids.remove(note)
                self._client.delete(f"/api/notes/{note}")

    def stop(self) -> None:
        """Ends `change`."""
        self._stop.set()

    def _pin(self) -> str:
        answer = self._client.post("/api/notes", json={"board": self.name, "text": self._text()})
        answer.raise_for_status()
        return str(answer.json()["id"])

    def _text(self) -> str:
        return " ".join(random.choices(WORDS, k=random.randint(2, 25)))


def read_to_the_end(page: Page) -> None:
    """Scrolls until all notes are there."""
    while page.get_by_role("button", name="Show older notes").is_visible():
        page.evaluate("scrollTo(0, document.body.scrollHeight)")
        page.wait_for_timeout(30)


def metrics(session: CDPSession) -> dict[str, float]:
    """Chromium's own counters of the page: bytes, pieces, seconds."""
    return {one["name"]: one["value"] for one in session.send("Performance.getMetrics")["metrics"]}


def measure(page: Page, board: Board, rate: float, seconds: float) -> None:
    """Opens the board, and prints."""
    page.goto(f"/b/{board.name}")
    expect(page.get_by_text("Live", exact=True)).to_be_visible()
    started = time.monotonic()
    read_to_the_end(page)
    print(f"read to the end in {time.monotonic() - started:.1f} s")
    session = page.context.new_cdp_session(page)
    session.send("Performance.enable")
    print(f"{'':28}  frames/s  longest pause    busy  script  layout   style     JS heap DOM nodes")

    def row(what: str, length: float, step: int) -> None:
        before = metrics(session)
        frames, worst = page.evaluate(COUNT_FRAMES, [length * 1000, step])
        after = metrics(session)
        busy = {
            name: (after[f"{name}Duration"] - before[f"{name}Duration"]) / length
            for name in ("Task", "Script", "Layout", "RecalcStyle")
        }
        session.send("HeapProfiler.collectGarbage")
        left = metrics(session)
        heap, nodes = left["JSHeapUsedSize"] / 2**20, left["Nodes"]
        shares = "".join(f"{share:8.1%}" for share in busy.values())
        print(f"{what:28} {frames:9.1f} {worst:11.0f} ms {shares} {heap:7.1f} MiB {nodes:9.0f}", flush=True)

    page.evaluate("scrollTo(0, 0)")
    row("nothing happens", 3, 0)
    row("nothing happens, scrolling", 5, 40)
    page.evaluate("scrollTo(0, 0)")
    worker = threading.Thread(target=board.change, args=(rate,))
    worker.start()
    began = time.monotonic()
    for number in range(3):
        row(f"{rate:g} events/s, round {number + 1}", seconds / 3, 0)
    row(f"{rate:g} events/s, scrolling", seconds / 3, 40)
    board.stop()
    worker.join()
    print(f"sent {board.changes / (time.monotonic() - began):.1f} changes/s")


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url", nargs="?", default="http://localhost:8080")
    parser.add_argument("--notes", type=int, default=2000)
    parser.add_argument("--rate", type=float, default=20)
    parser.add_argument("--seconds", type=float, default=30)
    arguments = parser.parse_args()
    path = find_chromium()
    if path is None:
        raise SystemExit("measure: there is no Chromium on PATH; install it and try again")
    board = Board(arguments.url)
    try:
        board.fill(arguments.notes)
    except httpx.TransportError as error:
        raise SystemExit(
            f"measure: {arguments.url} does not answer ({error}); start it with `make up`"
        ) from None
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=ARGS)
        page = browser.new_context(base_url=arguments.url, viewport={"width": 1280, "height": 800}).new_page()
        measure(page, board, arguments.rate, arguments.seconds)
        browser.close()


if __name__ == "__main__":
    main()
