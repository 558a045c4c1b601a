"""A cursor is read exactly, or refused."""

from __future__ import annotations

import pytest

from asgi_app.topics.cursor import BEGINNING, Cursor


def test_a_cursor_survives_being_written_down() -> None:
    assert Cursor.parse(str(Cursor("6b00f21a169c6", 12))) == Cursor("6b00f21a169c6", 12)
    assert Cursor.parse("0-0") == BEGINNING


@pytest.mark.parametrize(
    "text", ["", "5", "a-", "-5", "a-05", "a--1", "a-1.0", "A-1", "a-1 ", "a-1\n", "a-٣"]
)
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="EPOCH-OFFSET"):
        Cursor.parse(text)
