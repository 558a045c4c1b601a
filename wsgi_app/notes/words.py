"""What people read, in the language of their browser: words.toml."""

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

# Browsers name the language that they prefer first. nginx has the same pattern in front of what it keeps.
GERMAN = re.compile(r"^(?:(?! *en\b)[^,]*,)* *de\b", re.IGNORECASE)


def language() -> str:
    """The language of an answer for whoever asks: English, unless German is preferred to it."""
    return "de" if GERMAN.match(request.headers.get("Accept-Language", "")) else "en"


@cache
def context(language: str) -> dict[str, Any]:
    """What a template needs: `lang`; `t(key)`, the words; and `words`, those of the scripts as JSON."""
    index = LANGUAGES.index(language)
    known = {key: both[index] for table in ("page", "script") for key, both in WORDS[table].items()}
    script = {key: known[key] for key in WORDS["script"]}
    told = {"words": script, "problems": WORDS["problems"] if language == "de" else {}}
    # "<" might end the element in which it stands, so it is escaped.
    text = htmlsafe_json_dumps(told, ensure_ascii=False, separators=(",", ":"))
    return {"lang": language, "t": known.__getitem__, "words": text}


def in_words(problem: str, language: str) -> tuple[str, str]:
    """What the API says in English, in this language if it is known there; and the language that it is in."""
    known = WORDS["problems"].get(problem) if language == "de" else None
    return (known, "de") if known else (problem, "en")
