"""The tutorial works by copy and paste: its code blocks are run, in order, and watched in a real browser."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect

from local.settings import ROOT
from tests.harness import chromium
from tests.harness.clients import wait_for
from tests.harness.local import free_port
from tests.harness.pages import Block, Terminal, blocks, clone

PAGE = ROOT / "docs" / "tutorial.md"

# The page promises nothing about time.
expect.set_options(timeout=30_000)


@pytest.fixture
def browser() -> Iterator[Browser]:
    with chromium.browser() as opened:
        yield opened


class Desk:
    """A reader with three terminals, in a folder that holds a clone of this checkout."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        app, site = free_port(), free_port()
        self.app, self.site = f"http://127.0.0.1:{app}", f"http://localhost:{site}"
        # Other programs may listen on the page's ports here.
        self._ports = {"5000": str(app), "8080": str(site)}
        self._terminals: dict[str, Terminal] = {}
        self._environment = {**os.environ, "HTTP_PORT": str(site), "PYTHONUNBUFFERED": "1"}

    def do(self, block: Block) -> None:
        """Saves a file, or types commands; a server is waited for, everything else until it has ended."""
        text = re.sub("|".join(self._ports), lambda found: self._ports[found[0]], block.text)
        if block.language != "sh":
            file = self.folder / block.purpose
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
            return
        terminal = self._terminal(block.purpose.split()[0])
        if "after=Ctrl-C" in block.purpose:
            terminal.interrupt()
        if "flask run" not in text:
            terminal.run(text)
            return
        terminal.type(text)
        wait_for(lambda: httpx.get(self.app, trust_env=False).is_success, f"flask: {terminal.output()}")

    def stop_app(self) -> None:
        """Ctrl-C where the app runs."""
        self._terminal("terminal=1").interrupt()

    def leave(self) -> None:
        """Stops everything."""
        subprocess.run(["make", "down"], cwd=self.folder / "corkboard", env=self._environment, check=False)
        for terminal in self._terminals.values():
            terminal.close()

    def _terminal(self, name: str) -> Terminal:
        if name not in self._terminals:
            log = self.folder / f"{name.partition('=')[2]}.log"
            self._terminals[name] = Terminal(self.folder, log, self._environment)
        return self._terminals[name]


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    if shutil.which("make") is None:
        pytest.skip("no make on PATH")
    clone(tmp_path / "corkboard")
    here = Desk(tmp_path)
    yield here
    here.leave()


def add_guest(page: Page, name: str) -> None:
    page.get_by_placeholder("Your name").fill(name)
    page.get_by_role("button").click()


@pytest.mark.browser
def test_the_tutorial_works_by_copy_and_paste(desk: Desk, browser: Browser) -> None:
    steps = iter(blocks(PAGE))

    def follow(number: int) -> None:
        for _ in range(number):
            desk.do(next(steps))

    follow(4)  # an ordinary app
    plain, other = browser.new_page(), browser.new_page()
    for page in (plain, other):
        page.goto(desk.app)
    add_guest(plain, "Barbara")
    expect(plain.get_by_text("Barbara")).to_be_visible()
    expect(other.get_by_text("Barbara")).to_be_hidden()

    follow(1)  # make up
    assert httpx.get(desk.site, trust_env=False).text == httpx.get(desk.app, trust_env=False).text

    follow(4)  # ten lines
    first, second = browser.new_page(), browser.new_page()
    for page in (first, second):
        page.goto(desk.site)
        expect(page.locator("html[data-realtime=live]")).to_be_attached()
    second.get_by_placeholder("Your name").fill("half a na")
    add_guest(first, "Radia")
    for page in (first, second):
        expect(page.get_by_text("Radia")).to_be_visible()
    expect(second.get_by_placeholder("Your name")).to_have_value("half a na")

    follow(2)  # publish from anywhere
    for page in (first, second):
        expect(page.get_by_text("Grace")).to_be_visible()

    desk.stop_app()
    follow(1)  # while the app is down
    follow(1)
    for page in (first, second):
        expect(page.get_by_text("Linus")).to_be_visible()

    follow(1)  # make down
    assert next(steps, None) is None
