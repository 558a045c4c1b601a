"""The documentation has one index, every page, link and file that it names exists, and its code parses."""

from __future__ import annotations

import ast
import json
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote

import pytest
from prometheus_client import REGISTRY

import asgi_app.metrics  # noqa: F401  (registers its metrics)
import corkboard
import wsgi_app.metrics  # noqa: F401
from asgi_app.redis_numbers import FILLED, NUMBERS
from wsgi_app.notes import openapi

ROOT = Path(__file__).parents[2]
INDEX = ROOT / "docs" / "README.md"
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("examples/**/*.md")])
ROOMS = {path.name for path in ROOT.iterdir() if path.is_dir() and not path.name.startswith(".")}
# Made while something runs, so that a fresh clone does not have them.
MADE = re.compile(r"(loadtest|bench|prove)/results/|corkboard/\.corkboard/")

FENCE = re.compile(r"^( *)(```|~~~).*?^\1\2 *$", re.MULTILINE | re.DOTALL)
CODE = re.compile(r"(`+)(.+?)\1", re.DOTALL)
LINK = re.compile(r"\]\(\s*<?([^)\s>]+)>?(?:\s+\"[^\"]*\")?\s*\)")
FILE = re.compile(r"(?<![\w./-])(?:[\w.*-]+/)+(?:[\w.*-]+\.\w+)?(?![\w/{])")

pages = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))


def prose(page: Path) -> str:
    return FENCE.sub("", page.read_text())


def links(page: Path) -> Iterator[tuple[Path, str]]:
    """Each relative link of a page: the file that it leads to, and the anchor."""
    for target in LINK.findall(CODE.sub("", prose(page))):
        if not re.match(r"[a-z][a-z+.-]*:", target):
            path, _, anchor = unquote(target).partition("#")
            yield (page.parent / path).resolve() if path else page, anchor


def anchors(page: Path) -> set[str]:
    """The headings of a page, as their addresses are made: lower case, dashes, no punctuation."""
    found: set[str] = set()
    for heading in re.findall(r"^#+ +(.+?) *#*$", prose(page), re.MULTILINE):
        slug = re.sub(r"[^\w\- ]", "", re.sub(r"\[(.*?)\]\(.*?\)", r"\1", heading).lower()).replace(" ", "-")
        number = sum(re.fullmatch(rf"{re.escape(slug)}(-\d+)?", one) is not None for one in found)
        found.add(f"{slug}-{number}" if number else slug)
    return found


@pages
def test_every_page_is_linked_from_the_index(page: Path) -> None:
    assert page in {INDEX, *(target for target, _ in links(INDEX))}


@pages
def test_every_relative_link_resolves(page: Path) -> None:
    for target, anchor in links(page):
        assert target.exists(), f"{page.relative_to(ROOT)} links to {target}"
        if anchor and target.suffix == ".md":
            assert anchor in anchors(target), f"{page.relative_to(ROOT)} links to {target.name}#{anchor}"


@pages
def test_no_heading_comes_twice(page: Path) -> None:
    headings = Counter(re.findall(r"^## +(.+)$", prose(page), re.MULTILINE))
    assert not [heading for heading, number in headings.items() if number > 1]


@pages
def test_every_file_that_a_page_names_exists(page: Path) -> None:
    for _, code in CODE.findall(prose(page)):
        for name in FILE.findall(code):
            if name.partition("/")[0] in ROOMS and not MADE.match(name):
                assert list(ROOT.glob(name.rstrip("/"))), f"{page.relative_to(ROOT)} names {name}"


@pages
def test_every_code_block_parses(page: Path) -> None:
    for language, text in re.findall(r"^```(python|json)\b[^\n]*\n(.*?)^```$", page.read_text(), re.M | re.S):
        if language == "python":
            ast.parse(text)
        else:
            json.loads(text)


def test_every_page_that_the_code_names_exists() -> None:
    suffixes = {".py", ".js", ".yml", ".toml", ".sh", ".lua", ".html", ".conf", ".template", ".example"}
    for path in (
        file for room in (*ROOMS, ".") for file in (ROOT / room).glob("**/*" if room != "." else "*")
    ):
        if path.suffix in suffixes and path.is_file() and path != Path(__file__):
            for name in re.findall(r"(?<![\w./-])docs/[\w./-]+\.(?:md|json)\b", path.read_text()):
                assert (ROOT / name).is_file(), f"{path.relative_to(ROOT)} names {name}"


def test_the_reference_has_every_metric() -> None:
    page = (ROOT / "docs" / "reference" / "metrics.md").read_text()
    documented = set(re.findall(r"^\| `(corkboard_\w+)` \| (\w+) \|", page, re.M))
    assert documented == {
        (f"{family.name}_total" if family.type == "counter" else family.name, family.type)
        for family in REGISTRY.collect()
        if family.name.startswith("corkboard_")
    } | {(number.name, "counter" if number.name.endswith("_total") else "gauge") for number in NUMBERS} | {
        (FILLED, "gauge")
    }


def test_the_reference_has_every_public_name_of_the_kit_and_all_of_its_settings() -> None:
    page = (ROOT / "docs" / "reference" / "kit.md").read_text()
    headings = set(re.findall(r"\w+", " ".join(re.findall(r"^## (.*)$", page, re.M))))
    assert set(corkboard.__all__) <= headings
    assert set(re.findall(r"^\| `(CORKBOARD_\w+)` \|", page, re.M)) == set(corkboard.settings.NAMES)


def test_the_reference_has_every_request_of_the_demo() -> None:
    page = (ROOT / "docs" / "reference" / "http-api.md").read_text()
    told = re.findall(r"`(GET|POST|PATCH|DELETE) (/[^`]*)`", page)
    documented = {(method, re.sub(r"\{.*?\}", "{id}", path)) for method, path in told}
    operations = {
        (method.upper(), re.sub(r"\{.*?\}", "{id}", path))
        for path, methods in openapi.document()["paths"].items()
        for method in methods
        if method in ("get", "post", "patch", "delete")
    }
    assert operations - documented == set()


def test_the_reference_has_every_event_that_a_page_gets() -> None:
    page = (ROOT / "docs" / "reference" / "page.md").read_text()
    scripts = "".join(path.read_text() for path in (ROOT / "asgi_app" / "client").glob("*.js"))
    told = set(re.findall(r'\btell\("([\w:]+)"', scripts))
    assert told == set(re.findall(r"^\| `(realtime[\w:]*)` \|", page, re.M))
