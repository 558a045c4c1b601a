"""What people read, in the language of their browser: words.toml, and what comes later, static/words.json."""

from __future__ import annotations

import json
import re
import tomllib
from functools import cache
from pathlib import Path
from typing import Any

from flask import request
from jinja2.utils import htmlsafe_json_dumps

LANGUAGES = ("en", "de")
FOLDER = Path(__file__).parent
WORDS = tomllib.loads((FOLDER / "words.toml").read_text())
LATE = json.loads((FOLDER / "static" / "words.json").read_text())

# Browsers name their preferred language first. nginx uses the same pattern to cache pages by language.
GERMAN = re.compile(r"^(?:(?! *en\b)[^,]*,)* *de\b", re.IGNORECASE)


def language() -> str:
    """The language of the answer to this request: English, unless the browser prefers German to it."""
    return "de" if GERMAN.match(request.headers.get("Accept-Language", "")) else "en"


@cache
def context(language: str) -> dict[str, Any]:
    """The variables of a template: `lang`; `t(key)`, its words; and `words`, those of the scripts as JSON."""
    index = LANGUAGES.index(language)
    page, script = ({key: both[index] for key, both in WORDS[table].items()} for table in ("page", "script"))
    known = {key: each[language] for key, each in LATE["words"].items()} | page | script
    # Escaped: a "<" could end the <script> element that contains the JSON.
    text = htmlsafe_json_dumps(script, ensure_ascii=False, separators=(",", ":"))
    return {"lang": language, "t": known.__getitem__, "words": text}


def in_words(problem: str, language: str) -> tuple[str, str]:
    """What the API says in English, in this language if it is known there; and the language that it is in."""
    known = LATE["problems"].get(language, {}).get(problem)
    return (known, language) if known else (problem, "en")
