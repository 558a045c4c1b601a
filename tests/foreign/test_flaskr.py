"""Flaskr, the app of Flask's own tutorial, taken from Flask's source distribution."""

from __future__ import annotations

import secrets
import statistics
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urljoin

import pytest
from playwright.sync_api import Page, expect

from tests.foreign.conftest import Visit
from tests.harness.cable import Cable
from tests.harness.foreign import ForeignApp, changed_lines, live, refused, ticket_of
from tests.harness.local import LocalStack, free_port

PATCH = Path(__file__).parent / "flaskr.patch"
SECOND = 1.0
ROUNDS = 5


@dataclass(frozen=True)
class Site:
    """Flaskr as it is served, and Corkboard around it."""

    stack: LocalStack
    url: str


@pytest.fixture(scope="module")
def flaskr(tmp_path_factory: pytest.TempPathFactory) -> ForeignApp:
    """The patched app in an environment of its own."""
    app = ForeignApp(tmp_path_factory.mktemp("flaskr"), "flask==3.1.3", "examples/tutorial")
    app.install("flask==3.1.3", "pytest")
    app.patch(PATCH)
    return app


@pytest.fixture(scope="module")
def site(flaskr: ForeignApp) -> Iterator[Site]:
    """The app, started as its own README says, with Corkboard in front of it."""
    port = free_port()
    own = f"http://127.0.0.1:{port}"
    with LocalStack({"APP": own}) as stack:
        flask = ["-m", "flask", "--app", "flaskr"]
        flaskr.run(*flask, "init-db")
        environment = {"CORKBOARD_ENV_FILE": str(stack.folder / "app.env")}
        with flaskr.serving(f"{own}/hello", *flask, "run", "--port", str(port), environment=environment):
            yield Site(stack, stack.base_url)


@pytest.fixture
def anna(site: Site, visit: Visit) -> Page:
    """A user who is logged in."""
    return _log_in(visit(site.url), site.url)


@pytest.fixture
def ben(site: Site, visit: Visit) -> Page:
    """Another one."""
    return _log_in(visit(site.url), site.url)


@pytest.fixture
def anonymous(site: Site, visit: Visit) -> Page:
    """A visitor who is not logged in."""
    return live(visit(site.url))


def _log_in(page: Page, url: str) -> Page:
    name = f"user-{secrets.token_hex(4)}"
    for address in ("/auth/register", "/auth/login"):
        page.goto(urljoin(url, address))
        page.fill("input[name=username]", name)
        page.fill("input[name=password]", "secret")
        page.click("input[type=submit]")
    return live(page)


def _write(page: Page, title: str) -> None:
    page.get_by_role("link", name="New").click()
    _submit(page, title)


def _edit(page: Page, title: str, new: str) -> None:
    page.locator("article", has_text=title).get_by_role("link", name="Edit").click()
    _submit(page, new)


def _submit(page: Page, title: str) -> None:
    page.fill("input[name=title]", title)
    page.fill("textarea[name=body]", "A body")
    page.locator("form input[type=submit]").first.click()
    page.wait_for_url("**/")


def _seconds_until(title: str, *pages: Page) -> float:
    begun = time.monotonic()
    for page in pages:
        expect(page.get_by_role("heading", name=title)).to_be_visible()
    return time.monotonic() - begun


def _title() -> str:
    return f"Post {secrets.token_hex(4)}"


def test_the_patch_changes_at_most_twenty_lines() -> None:
    assert 0 < changed_lines(PATCH) <= 20


def test_the_apps_own_tests_stay_green(flaskr: ForeignApp) -> None:
    flaskr.run("-m", "pytest", "-q", environment={"CORKBOARD_URL": "off", "PYTHONPATH": "."})


def test_a_new_post_and_its_edit_appear_everywhere_within_a_second(
    anna: Page, ben: Page, anonymous: Page
) -> None:
    seconds = []
    for _ in range(ROUNDS):
        title, edited = _title(), _title()
        _write(anna, title)
        seconds.append(_seconds_until(title, ben, anonymous))
        live(anna)
        _edit(anna, title, edited)
        seconds.append(_seconds_until(edited, ben, anonymous))
        live(anna)
    assert statistics.median(seconds) <= SECOND, seconds


def test_a_private_topic_stays_private(site: Site, anna: Page, ben: Page, anonymous: Page) -> None:
    annas, bens = ticket_of(anna), ticket_of(ben)
    (private,) = (topic for topic in annas.topics if topic.startswith("user:"))
    assert not refused(site.url, private, annas.ticket)
    assert refused(site.url, private, bens.ticket) == 403
    assert refused(site.url, private, ticket_of(anonymous).ticket) == 403
    assert refused(site.url, private, None) == 401


def test_a_browser_that_was_offline_catches_up(site: Site, anna: Page, visit: Visit) -> None:
    with Cable(site.url) as cable:
        offline = live(visit(cable.base_url))
        cable.cut()
        title = _title()
        _write(anna, title)
        expect(offline.get_by_role("heading", name=title)).not_to_be_visible()
        cable.mend()
        _seconds_until(title, offline)


def test_pages_stay_live_when_redis_was_killed_in_between(site: Site, anna: Page, anonymous: Page) -> None:
    first, second = _title(), _title()
    _write(anna, first)
    _seconds_until(first, anonymous)
    site.stack.parts.kill("redis")
    site.stack.start()
    _write(anna, second)
    _seconds_until(second, anonymous)
