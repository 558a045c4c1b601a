"""What clients say is passed on as valid, short JSON text, or refused."""

from __future__ import annotations

import json
from typing import Any

import pytest
from pydantic import ValidationError

from asgi_app import limits
from asgi_app.transports.messages import People, Whispered, client_message, whispered


def said(op: str, field: str, json_text: str) -> Any:
    """What is kept of a message's field."""
    text = f'{{"op":"{op}","topic":"board:a","{field}":{json_text}}}'
    return getattr(client_message.validate_json(text), field)


@pytest.mark.parametrize("number", ["1e999", "-1e999", "NaN", "Infinity", "-Infinity"])
def test_a_number_that_json_does_not_have_is_refused(number: str) -> None:
    for op, field, text in (
        ("whisper", "data", number),
        ("whisper", "data", f'{{"a":[{number}]}}'),
        ("subscribe", "me", f'{{"a":{number}}}'),
    ):
        with pytest.raises(ValidationError):
            said(op, field, text)


@pytest.mark.parametrize(
    "text", ["null", "1.5", '"\\u00fc\\t"', '[ 1, {"a": "ü"} ]', "1e22", '"\\ud83d\\ude00"']
)
def test_any_other_value_is_kept_as_text_on_one_line(text: str) -> None:
    kept = said("whisper", "data", text)
    assert json.loads(kept) == json.loads(text)
    assert not set(b"\t\n") & set(kept)


def test_a_value_is_measured_in_bytes_of_utf_8_without_spaces() -> None:
    for most, op, field, text in (
        (limits.WHISPER_BYTES, "whisper", "data", '"{}"'),
        (limits.ME_BYTES, "subscribe", "me", '{{ "n" : "{}" }}'),
    ):
        around = len(said(op, field, text.format("")))
        longest = "ü" * ((most - around) // 2) + "x" * ((most - around) % 2)
        assert len(said(op, field, text.format(longest))) == most
        with pytest.raises(ValidationError, match=f"at most {most} bytes of JSON"):
            said(op, field, text.format(longest + "x"))


def test_who_one_is_is_an_object_or_left_out() -> None:
    assert said("subscribe", "me", "null") is None
    for text in ("1", "[]", '"Ann"', "true"):
        with pytest.raises(ValidationError):
            said("subscribe", "me", text)


def test_what_is_put_together_from_text_is_as_the_models_say() -> None:
    text = whispered("board:a", "0a1b", said("whisper", "data", '{"x": [1]}'))
    assert (
        text
        == Whispered(topic="board:a", from_="0a1b", data={"x": [1]}).model_dump_json(by_alias=True).encode()
    )
    assert People.model_fields.keys() == {"op", "topic", "count", "people", "joined", "left"}
