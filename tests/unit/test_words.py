"""Everything that people read on the wall is in words.toml or words.json, whole in both languages."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from http import HTTPStatus
from pathlib import Path

import pytest
from werkzeug.exceptions import NotFound

from asgi_app.client import joining
from local.settings import ROOT
from wsgi_app.notes.models import COLORS
from wsgi_app.notes.words import GERMAN, LANGUAGES, LATE, WORDS

NOTES = ROOT / "wsgi_app" / "notes"
# The pages about the API and its events are English, as these are.
TEMPLATES = [
    file for file in sorted((NOTES / "templates").iterdir()) if file.name not in ("docs.html", "events.html")
]
SCRIPTS = [
    file for file in sorted((NOTES / "static").glob("*.js")) if file.name not in ("docs.js", "events.js")
]
COMMENT = re.compile(r"/\*.*?\*/|(?<=\s)//.*?$", re.DOTALL | re.MULTILINE)
# The names of keys, headers and the like, and what only the console shows.
NO_WORDS = re.compile(
    r"(Escape|Esc|Alt|Ctrl|Enter|Tab|Home|End|Delete|F1|Failure|TimeoutError|Arrow(Up|Down|Left|Right)?|[A-Z][a-z]+(-[A-Z][a-z]+)+)"
)
READ = {"title", "placeholder", "alt", "aria-label", "aria-description", "label"}
CATEGORIES = {"one", "other"}
# Keys that no script names: states of a connection have the sidecar's names.
STATES = {"offline", "stopped", "by-websocket", "by-sse", "by-poll"}


def forms(words: str | dict[str, str]) -> list[str]:
    return [words] if isinstance(words, str) else list(words.values())


def asked(text: str) -> set[str]:
    """The keys with which calls of t begin."""
    return set(re.findall(r"\bt\([\"']([a-z][a-z0-9-]*)[\"'][,)]", text))


def named(text: str) -> set[str]:
    """What may be a key, wherever it stands: t(isGone ? "one-key" : "another")."""
    return set(re.findall(r"[\"']([a-z][a-z0-9-]*)[\"']", text))


PAGE, SCRIPT, LATER = WORDS["page"], WORDS["script"], LATE["words"]
ALL = {**PAGE, **SCRIPT, **{key: list(each.values()) for key, each in LATER.items()}}


@pytest.mark.parametrize("key", ALL)
def test_words_are_whole_in_every_language(key: str) -> None:
    both = ALL[key]
    assert len(both) == len(LANGUAGES)
    assert key not in LATER or tuple(LATER[key]) == LANGUAGES
    assert len({type(one) for one in both}) == 1
    filled = []
    for one in both:
        assert all(form.strip() for form in forms(one))
        assert isinstance(one, str) or set(one) == CATEGORIES
        filled.append({frozenset(re.findall(r"\{(\w+)\}", form)) for form in forms(one)})
    assert filled[0] == filled[1]


def test_a_key_has_one_meaning() -> None:
    assert len(ALL) == len(PAGE) + len(SCRIPT) + len(LATER)


def test_the_first_view_asks_for_no_words_that_come_later() -> None:
    first = joining.joined(NOTES / "static", "main.js")["main.js"].decode()
    assert asked(first) - SCRIPT.keys() == set()
    assert SCRIPT.keys() - named(first) - STATES == set()


def test_every_key_that_is_asked_for_exists_and_no_other() -> None:
    pages = "".join(file.read_text() for file in TEMPLATES)
    scripts = COMMENT.sub("", "".join(file.read_text() for file in SCRIPTS))
    assert asked(pages) - ALL.keys() == set()
    assert asked(scripts) - SCRIPT.keys() - LATER.keys() == set()
    assert PAGE.keys() - asked(pages) == set()
    assert LATER.keys() - named(scripts) - {f"color-{color}" for color in COLORS} == set()


class Literals(HTMLParser):
    """Collects what a template says in no language's words."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, _tag: str, attrs: list[tuple[str, str | None]]) -> None:
        told = dict(attrs)
        self.found += [value or "" for name, value in attrs if name in READ]
        self.found += [told.get("content") or ""] if told.get("name") == "description" else []

    def handle_data(self, data: str) -> None:
        self.found.append(data)


@pytest.mark.parametrize(
    "file", [file for file in TEMPLATES if file.suffix == ".html"], ids=lambda file: file.name
)
def test_templates_hold_no_literal_text(file: Path) -> None:
    parser = Literals()
    parser.feed(re.sub(r"\{\{.*?\}\}|\{%.*?%\}|\{#.*?#\}", "", file.read_text(), flags=re.DOTALL))
    said = {text.strip(" \n·") for text in parser.found if re.search(r"[A-Za-z]{2}", text)}
    assert said - {"Corkboard"} == set()


@pytest.mark.parametrize("file", SCRIPTS, ids=lambda file: file.name)
def test_scripts_hold_no_literal_text(file: Path) -> None:
    """Text for people begins with a capital, or is some words in a row: nothing else there does."""
    text = COMMENT.sub("", file.read_text())
    literals = [literal for pair in re.findall(r'"([^"\n]*)"|`([^`]*)`', text) for literal in pair if literal]
    said = [
        one
        for one in literals
        if re.match(r"[A-ZÄÖÜ][a-z]", one) or re.search(r"[a-z]{2,} [a-z]{2,} [a-z]{2,}", one)
    ]
    assert [one for one in said if not NO_WORDS.fullmatch(one)] == []


def test_problems_are_those_that_the_site_tells() -> None:
    """One that is worded anew is not left behind here."""
    files = [*ROOT.glob("wsgi_app/**/*.py"), ROOT / "nginx" / "templates" / "problems.conf.template"]
    text = re.sub(r'"\s*\n\s*"', "", "".join(file.read_text() for file in files)).replace(
        "$largest_body", "64 KiB"
    )
    text += "".join(status.phrase for status in HTTPStatus) + str(NotFound.description)
    assert [english for known in LATE["problems"].values() for english in known if english not in text] == []


@pytest.mark.parametrize(
    ("asked", "german"),
    [
        ("", False), ("de", True), ("DE-at", True), ("de-DE,de;q=0.9,en-US;q=0.8,en;q=0.7", True),
        ("en-US,en;q=0.9,de;q=0.8", False), ("fr-CH, fr;q=0.9, de;q=0.8, en;q=0.7", True),
        ("fr-DE,fr", False), ("en-DE", False), ("den", False), ("*", False),
    ],
)  # fmt: skip
def test_german_is_for_those_who_prefer_it_to_english(asked: str, german: bool) -> None:
    assert bool(GERMAN.match(asked)) == german


def test_nginx_keeps_a_page_for_those_to_whom_flask_would_tell_the_same() -> None:
    site = (ROOT / "nginx" / "templates" / "problems.conf.template").read_text()
    assert f'"~*{GERMAN.pattern}" de;' in site
