"""django-todo, from PyPI, in a site that Django's own `startproject` makes."""

from __future__ import annotations

import secrets
import statistics
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.foreign.conftest import Visit
from tests.harness.cable import Cable
from tests.harness.foreign import ForeignApp, changed_lines, live, refused, ticket_of
from tests.harness.local import LocalStack, free_port

PATCH = Path(__file__).parent / "django_todo.patch"
SECOND = 1.0
ROUNDS = 5

# What django-todo's README asks of the site that it is added to.
SETTINGS = """
INSTALLED_APPS += ["django.contrib.sites", "dal", "dal_select2", "todo"]
SITE_ID = 1
LOGIN_URL = "/admin/login/"
TEMPLATES[0]["DIRS"] = [BASE_DIR / "templates"]
EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
ALLOWED_HOSTS = ["127.0.0.1"]
TODO_MAIL_USER_MAPPER = None
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
"""
URLS = """
from django.urls import include
urlpatterns += [path("todo/", include("todo.urls", namespace="todo"))]
"""
BASE = """<!doctype html>
<html><head><title>{% block title %}{% endblock %}</title>{% block extrahead %}{% endblock %}</head>
<body>{% block content %}{% endblock %}</body></html>
"""
PEOPLE = """
from django.contrib.auth.models import Group, User
from todo.models import TaskList
for team, names in (("kitchen", ("anna", "ben")), ("office", ("carl",))):
    group = Group.objects.create(name=team)
    TaskList.objects.create(name=team, slug=team, group=group)
    for name in names:
        User.objects.create_user(name, password="secret", is_staff=True).groups.add(group)
"""
KITCHEN, OFFICE = "/todo/1/kitchen/", "/todo/2/office/"


@dataclass(frozen=True)
class Site:
    """The site as it is served, and Corkboard around it."""

    stack: LocalStack
    url: str


@pytest.fixture(scope="module")
def todo(tmp_path_factory: pytest.TempPathFactory) -> ForeignApp:
    """The patched app and a site for it, in an environment of its own."""
    app = ForeignApp(tmp_path_factory.mktemp("django-todo"), "django-todo==2.7.0", ".")
    app.install(str(app.folder), "pytest-django")
    app.run("-m", "pip", "uninstall", "--quiet", "--yes", "django-todo")  # the patched source is used instead
    app.patch(PATCH)
    app.run("-m", "django", "startproject", "site_of_tests", ".")
    for name, text in (("settings.py", SETTINGS), ("urls.py", URLS)):
        with (app.folder / "site_of_tests" / name).open("a") as file:
            file.write(text)
    (app.folder / "templates").mkdir()
    (app.folder / "templates" / "base.html").write_text(BASE)
    return app


@pytest.fixture(scope="module")
def site(todo: ForeignApp) -> Iterator[Site]:
    """Django's own server, with Corkboard in front of it."""
    port = free_port()
    own = f"http://127.0.0.1:{port}"
    off = {"CORKBOARD_URL": "off"}
    todo.run("manage.py", "migrate", environment=off)
    todo.run("manage.py", "shell", "-c", PEOPLE, environment=off)
    with LocalStack({"APP": own}) as stack:
        command = ["manage.py", "runserver", "--noreload", f"127.0.0.1:{port}"]
        environment = {"CORKBOARD_ENV_FILE": str(stack.folder / "app.env")}
        with todo.serving(f"{own}/admin/login/", *command, environment=environment):
            yield Site(stack, stack.base_url)


def _log_in(page: Page, name: str, path: str) -> Page:
    page.fill("input[name=username]", name)
    page.fill("input[name=password]", "secret")
    page.click("input[type=submit]")
    page.wait_for_url(f"**{path}")
    return live(page)


@pytest.fixture
def anna(site: Site, visit: Visit) -> Page:
    """A user of the kitchen."""
    return _log_in(visit(f"{site.url}{KITCHEN}"), "anna", KITCHEN)


@pytest.fixture
def ben(site: Site, visit: Visit) -> Page:
    """Another one."""
    return _log_in(visit(f"{site.url}{KITCHEN}"), "ben", KITCHEN)


@pytest.fixture
def carl(site: Site, visit: Visit) -> Page:
    """A user of the office."""
    return _log_in(visit(f"{site.url}{OFFICE}"), "carl", OFFICE)


def _add(page: Page) -> str:
    title = f"Task {secrets.token_hex(4)}"
    page.fill("input[name=title]", title)
    page.locator("[name=add_edit_task]").click()
    live(page)
    return title


def _seconds_until(title: str, page: Page, visible: bool = True) -> float:
    begun = time.monotonic()
    expect(page.get_by_role("link", name=title)).to_be_visible(visible=visible)
    return time.monotonic() - begun


def test_the_patch_changes_at_most_twenty_lines() -> None:
    assert 0 < changed_lines(PATCH) <= 20


def test_the_apps_own_tests_stay_green(todo: ForeignApp) -> None:
    environment = {
        "CORKBOARD_URL": "off",
        "DJANGO_SETTINGS_MODULE": "site_of_tests.settings",
        "PYTHONPATH": ".",
    }
    # The data file of its import tests is not in the source distribution.
    command = ["-m", "pytest", "-q", "todo", "--ignore", "todo/tests/test_import.py"]
    todo.run(*command, environment=environment)


def test_a_new_task_and_its_change_appear_for_the_others_within_a_second(anna: Page, ben: Page) -> None:
    seconds = []
    for _ in range(ROUNDS):
        title = _add(anna)
        seconds.append(_seconds_until(title, ben))
        anna.locator("tr", has_text=title).get_by_role("button", name="Done").click()
        seconds.append(_seconds_until(title, ben, visible=False))
        live(anna)
    assert statistics.median(seconds) <= SECOND, seconds


def test_an_open_form_keeps_what_is_typed_when_the_page_refreshes(anna: Page, ben: Page) -> None:
    ben.fill("input[name=title]", "half a sentence")
    title = _add(anna)
    _seconds_until(title, ben)
    assert ben.input_value("input[name=title]") == "half a sentence"


def test_a_private_list_stays_private(site: Site, anna: Page, carl: Page, visit: Visit) -> None:
    annas, carls = ticket_of(anna), ticket_of(carl)
    (kitchen,) = annas.topics
    assert not refused(site.url, kitchen, annas.ticket)
    assert refused(site.url, kitchen, carls.ticket) == 403
    assert refused(site.url, kitchen, None) == 401
    assert visit(f"{site.url}{KITCHEN}").locator("script[data-realtime]").count() == 0  # the login page


def test_a_browser_that_was_offline_catches_up(site: Site, anna: Page, visit: Visit) -> None:
    with Cable(site.url) as cable:
        offline = _log_in(visit(f"{cable.base_url}{KITCHEN}"), "ben", KITCHEN)
        cable.cut()
        title = _add(anna)
        expect(offline.get_by_role("link", name=title)).not_to_be_visible()
        cable.mend()
        _seconds_until(title, offline)


def test_pages_stay_live_when_redis_was_killed_in_between(site: Site, anna: Page, ben: Page) -> None:
    _seconds_until(_add(anna), ben)
    site.stack.parts.kill("redis")
    site.stack.start()
    _seconds_until(_add(anna), ben)
