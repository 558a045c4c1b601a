"""The words of words.toml, in the language that the browser prefers."""

from __future__ import annotations

import re
import tomllib
from functools import cache
from pathlib import Path
from typing import Any

from flask import request
from jinja2.utils import htmlsafe_json_dumps

LANGUAGES = ("en", "de")
WORDS = tomllib.loads((Path(__file__).parent / "words.toml").read_text())

# Browsers name their preferred language first. nginx uses the same pattern to cache pages by language.
GERMAN = re.compile(r"^(?:(?! *en\b)[^,]*,)* *de\b", re.IGNORECASE)


def language() -> str:
    """The language of the answer to this request: English, unless the browser prefers German to it."""
    return "de" if GERMAN.match(request.headers.get("Accept-Language", "")) else "en"


@cache
def context(language: str) -> dict[str, Any]:
    """The variables of a template: `lang`; `t(key)`, its words; and `words`, those of the scripts as JSON."""
    index = LANGUAGES.index(language)
    known = {key: both[index] for table in ("page", "script") for key, both in WORDS[table].items()}
    script = {key: known[key] for key in WORDS["script"]}
    told = {"words": script, "problems": WORDS["problems"] if language == "de" else {}}
    # Escaped: a "<" could end the <script> element that contains the JSON.
    text = htmlsafe_json_dumps(told, ensure_ascii=False, separators=(",", ":"))
    return {"lang": language, "t": known.__getitem__, "words": text}


def in_words(problem: str, language: str) -> tuple[str, str]:
    """A problem's text in this language if there is a translation, else in English; and its language."""
    known = WORDS["problems"].get(problem) if language == "de" else None
    return (known, "de") if known else (problem, "en")
