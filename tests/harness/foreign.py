"""Apps that nobody here wrote: fetched from PyPI, patched in a few lines, and run as their own docs say."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tarfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Page, expect

from local.settings import ROOT
from tests.harness.clients import wait_for

INSTALL_SECONDS = 300


class ForeignApp:
    """One app in a temporary folder: its source, its own virtual environment, and its processes."""

    def __init__(self, folder: Path, requirement: str, source: str) -> None:
        """Fetches the source distribution `requirement`; the app's project is its folder `source`."""
        _run_pip("download", "--no-deps", "--no-binary", ":all:", "--dest", str(folder), requirement)
        (archive,) = folder.glob("*.tar.gz")
        with tarfile.open(archive) as file:
            file.extractall(folder, filter="data")
        self.folder = folder / archive.name.removesuffix(".tar.gz") / source
        self.python = folder / "venv" / "bin" / "python"

    def install(self, *requirements: str) -> None:
        """Makes the app's virtual environment: what the app needs, and the kit as a stranger installs it."""
        uv = [sys.executable, "-m", "uv", "--quiet", "--no-python-downloads"]
        python, kit = str(self.python), str(ROOT / "corkboard")
        for words in (
            ["venv", "--seed", "--python", sys.executable, str(self.python.parent.parent)],
            # What uv has built of a folder before is not what is in it now.
            ["pip", "install", "--python", python, "--reinstall-package", "corkboard", *requirements, kit],
        ):
            answer = subprocess.run([*uv, *words], capture_output=True, text=True, timeout=INSTALL_SECONDS)
            assert answer.returncode == 0, answer.stderr

    def patch(self, patch: Path) -> None:
        """Applies a diff of this repository to the app."""
        subprocess.run(["git", "apply", "--whitespace=nowarn", str(patch)], cwd=self.folder, check=True)

    def run(self, *command: str, environment: Mapping[str, str] | None = None) -> str:
        """Runs `python COMMAND` in the app's folder and returns its output.

        Raises:
            AssertionError: it failed; with what it wrote.
        """
        answer = subprocess.run(
            [str(self.python), *command],
            cwd=self.folder,
            env=self._environment(environment),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=INSTALL_SECONDS,
        )
        assert answer.returncode == 0, answer.stdout + answer.stderr
        return answer.stdout

    @contextmanager
    def serving(
        self, url: str, *command: str, environment: Mapping[str, str] | None = None
    ) -> Iterator[None]:
        """Runs `python COMMAND` until the block ends; begins when `url` answers."""
        log = self.folder / "server.log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                [str(self.python), *command],
                cwd=self.folder,
                env=self._environment(environment),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        try:
            wait_for(lambda: _answers(url) or process.poll() is not None, f"an answer of {url}")
            assert process.poll() is None, log.read_text()
            yield
        finally:
            process.terminate()
            process.wait(10)

    def _environment(self, more: Mapping[str, str] | None) -> dict[str, str]:
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("CORKBOARD_", "PYTEST_"))
        }
        return kept | dict(more or {})


def _run_pip(*arguments: str) -> None:
    command = [sys.executable, "-m", "pip", *arguments, "--quiet", "--disable-pip-version-check"]
    answer = subprocess.run(command, capture_output=True, text=True, timeout=INSTALL_SECONDS)
    if answer.returncode and "Could not find a version" in answer.stderr:
        pytest.skip(f"PyPI is not reachable: {arguments[-1]}")
    assert answer.returncode == 0, answer.stderr


def changed_lines(patch: Path) -> int:
    """How many lines a diff adds, removes or changes; a changed line counts once."""
    lines = [line for line in patch.read_text().splitlines() if not line.startswith(("+++", "---"))]
    added, removed = (sum(line.startswith(sign) for line in lines) for sign in "+-")
    return max(added, removed)


def _answers(url: str) -> bool:
    return httpx.get(url, timeout=5, trust_env=False).status_code < 500


@dataclass(frozen=True)
class Grant:
    """What a page may listen to: its ticket and the topics that it opens."""

    ticket: str
    topics: tuple[str, ...]


def ticket_of(page: Page) -> Grant:
    """The grant that `{{ realtime }}` wrote into a page."""
    data = json.loads(page.locator("script[data-realtime]").get_attribute("data-realtime") or "{}")
    return Grant(data["ticket"], tuple(data["topics"]))


def live(page: Page) -> Page:
    """The page, once it listens."""
    expect(page.locator("html[data-realtime=live]")).to_have_count(1)
    return page


def refused(url: str, topic: str, ticket: str | None) -> int:
    """The status with which the sidecar refuses a subscriber of `topic`; 0 when it lets it in."""
    query = {"topic": topic, "timeout": "0"} | ({"ticket": ticket} if ticket else {})
    status = httpx.get(f"{url}/ws/poll", params=query, trust_env=False).status_code
    return 0 if status == 200 else status
