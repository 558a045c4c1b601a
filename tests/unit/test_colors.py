"""The colours of notes are those of wsgi_app/notes/models.py, everywhere."""

from __future__ import annotations

import re

from local.settings import ROOT
from wsgi_app.notes.models import COLORS

NOTES = ROOT / "wsgi_app" / "notes"


def test_the_style_sheet_paints_every_colour_in_both_themes_and_no_other() -> None:
    css = (NOTES / "static" / "wall.css").read_text()
    painted = re.findall(
        r'^\[data-color="(\w+)"\].*\[value="(\w+)"\].*--paper: var\(--(\w+)\)', css, re.MULTILINE
    )
    assert painted == [(color, color, color) for color in COLORS]
    light, dark = css.split("prefers-color-scheme: dark", 1)
    for theme in (light, dark):
        assert [color for color in COLORS if not re.search(rf"^ *--{color}: #", theme, re.MULTILINE)] == []


def test_scripts_and_pages_name_no_colour_themselves() -> None:
    for file in [*NOTES.glob("static/*.js"), *NOTES.glob("templates/*.html")]:
        assert not re.search(rf"\b({'|'.join(COLORS)})\b", file.read_text()), file.name
