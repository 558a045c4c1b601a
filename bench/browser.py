"""The wall in a real browser: python -m bench.browser [URL] [--notes N] [--rate N] [--seconds N]

It fills a board of its own, loads all of its notes, and changes them at a steady rate. Meanwhile the page
counts frames and long tasks, at the top of the board and while scrolling. The browser renders in software.
The load average is printed as well, because every figure depends on it.
"""

from __future__ import annotations

import argparse
import os
import random
import threading
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from statistics import median

import httpx
from playwright.sync_api import CDPSession, Page, expect, sync_playwright

from bench.servers import Missing
from tests.harness.chromium import ARGS, find_chromium

NOTES, RATE = 2000, 20
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
# Frames per second, the longest pause between two frames, and the longest task, both in milliseconds (0: no
# task over 50 ms). `step`: pixels to scroll per frame.
COUNT_FRAMES = """([milliseconds, step]) => new Promise((resolve) => {
  const begin = performance.now();
  let frames = 0, last = begin, worst = 0, direction = 1, longest = 0;
  const tasks = new PerformanceObserver((list) => {
    for (const { duration } of list.getEntries()) longest = Math.max(longest, duration);
  });
  tasks.observe({ type: "longtask" });
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
    else setTimeout(() => {
      tasks.disconnect();
      resolve([frames / (now - begin) * 1000, worst, longest]);
    });
  });
})"""


class Board:
    """A board full of notes, and a client that changes it."""

    def __init__(self, base_url: str) -> None:
        self.name = f"measure-{uuid.uuid4().hex[:8]}"
        self._client = httpx.Client(base_url=base_url, trust_env=False, timeout=30)
        self._ids: list[str] = []
        self._stop = threading.Event()
        self.changes = 0

    def fill(self, notes: int) -> None:
        """Creates `notes` notes.

        Raises:
            httpx.HTTPError: a request failed.
        """
        with ThreadPoolExecutor(8) as pool:
            self._ids = list(pool.map(lambda _: self._pin(), range(notes)))

    def change(self, rate: float) -> None:
        """Creates, edits, ticks off and deletes notes, `rate` changes per second, until `stop`."""
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
    """Scrolls until all notes are loaded."""
    while page.get_by_role("button", name="Show older notes").is_visible():
        page.evaluate("scrollTo(0, document.body.scrollHeight)")
        page.wait_for_timeout(30)


def metrics(session: CDPSession) -> dict[str, float]:
    """Chromium's counters of the page, by name: bytes, numbers and seconds."""
    return {one["name"]: one["value"] for one in session.send("Performance.getMetrics")["metrics"]}


def count(page: Page, session: CDPSession, seconds: float, step: int) -> dict[str, float]:
    """Measures for `seconds`: frames, tasks, memory, and the shares of time that the main thread was busy."""
    before = metrics(session)
    frames, pause, longest = page.evaluate(COUNT_FRAMES, [seconds * 1000, step])
    after = metrics(session)
    session.send("HeapProfiler.collectGarbage")
    left = metrics(session)
    busy = {
        f"{name.lower()}_share": (after[f"{name}Duration"] - before[f"{name}Duration"]) / seconds
        for name in ("Task", "Script", "Layout", "RecalcStyle")
    }
    return {
        "frames_per_second": frames,
        "longest_task_ms": longest,
        "longest_pause_ms": pause,
        **busy,
        "heap_mebibytes": left["JSHeapUsedSize"] / 2**20,
        "load": os.getloadavg()[0],
    }


@contextmanager
def open_board(url: str, notes: int) -> Iterator[tuple[Page, CDPSession, Board]]:
    """Makes a board with `notes` notes, and loads all of them in a browser.

    Raises:
        Missing: there is no Chromium.
    """
    path = find_chromium()
    if path is None:
        raise Missing("there is no Chromium on PATH")
    board = Board(url)
    board.fill(notes)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=ARGS)
        page = browser.new_context(base_url=url, viewport={"width": 1280, "height": 800}).new_page()
        page.goto(f"/b/{board.name}")
        expect(page.get_by_text("Live", exact=True)).to_be_visible()
        read_to_the_end(page)
        session = page.context.new_cdp_session(page)
        session.send("Performance.enable")
        yield page, session, board
        browser.close()


@contextmanager
def changing(board: Board, rate: float) -> Iterator[None]:
    """Changes the board `rate` times per second, inside `with`."""
    worker = threading.Thread(target=board.change, args=(rate,))
    worker.start()
    try:
        yield
    finally:
        board.stop()
        worker.join()


def measure(url: str, rate: float, scrolls: bool, seconds: float, notes: int = NOTES) -> dict[str, float]:
    """One run of `seconds` on a board of `notes` notes, with `rate` changes per second.

    Raises:
        Missing: there is no Chromium.
    """
    with open_board(url, notes) as (page, session, board), changing(board, rate):
        page.evaluate("scrollTo(0, 0)")
        page.wait_for_timeout(1000)
        return count(page, session, seconds, 40 if scrolls else 0)


def main() -> None:
    """Prints runs on one board, with the median and the range of each number."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url", nargs="?", default="http://localhost:8080")
    parser.add_argument("--notes", type=int, default=NOTES)
    parser.add_argument("--rate", type=float, default=RATE)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--runs", type=int, default=5)
    arguments = parser.parse_args()
    runs: dict[str, list[dict[str, float]]] = {}
    with open_board(arguments.url, arguments.notes) as (page, session, board):
        for what, step in (("nothing happens", 0), ("nothing happens, scrolling", 40)):
            page.evaluate("scrollTo(0, 0)")
            runs[what] = [count(page, session, arguments.seconds, step) for _ in range(arguments.runs)]
        with changing(board, arguments.rate):
            for words, step in (("", 0), (", scrolling", 40)):
                page.evaluate("scrollTo(0, 0)")
                what = f"{arguments.rate:g} events/s{words}"
                runs[what] = [count(page, session, arguments.seconds, step) for _ in range(arguments.runs)]
    for what, found in runs.items():
        print(what)
        for name in found[0]:
            values = sorted(each[name] for each in found)
            print(f"  {name:20} {median(values):8.2f}   {values[0]:.2f} to {values[-1]:.2f}")


if __name__ == "__main__":
    main()
