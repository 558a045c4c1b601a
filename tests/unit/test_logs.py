"""A line of the sidecar's log is short, and ASCII, whatever a client sent."""

from __future__ import annotations

import json
import logging

from asgi_app.logs import CHARACTERS, BoundedFormatter, config


def line(message: str, error: BaseException | None = None) -> str:
    given = config("info")["formatters"]["json"]
    form = BoundedFormatter(
        given["fmt"],
        rename_fields=given["rename_fields"],
        static_fields=given["static_fields"],
        timestamp=given["timestamp"],
    )
    info = (type(error), error, error.__traceback__) if error else None
    return form.format(logging.LogRecord("a", logging.ERROR, "", 0, message, (), info))


def test_the_middle_of_what_is_too_long_is_left_out() -> None:
    found = json.loads(line("begin" + "x" * 100_000 + "end", ValueError("y" * 100_000 + "last")))
    assert len(found["message"]) < CHARACTERS + 10
    assert found["message"].startswith("begin")
    assert found["message"].endswith("end")
    assert found["exc_info"].endswith("last")


def test_a_short_line_is_left_as_it_is() -> None:
    assert json.loads(line("hello"))["message"] == "hello"


def test_every_character_is_ascii() -> None:
    written = line("é\udcff\x00\U0001f600 \x1b[2J\n")
    assert written.isascii()
    assert written.isprintable()
    assert len(line("\U0001f600" * 100_000)) < 14 * CHARACTERS
