"""docs/reference/asyncapi.json is what the code says and what goes over the wire."""

from __future__ import annotations

import json
from typing import Any

import pytest
from jsonschema import Draft202012Validator, ValidationError
from jsonschema.exceptions import best_match

from asgi_app.asyncapi import FROM_CLIENT, TO_CLIENT, document
from local.settings import ROOT
from tests.harness.clients import Socket, http
from tests.harness.stack import Stack

FILE = ROOT / "docs" / "reference" / "asyncapi.json"


def validator(models: tuple[Any, ...]) -> Draft202012Validator:
    """For any message of one direction, against the schemas of the committed document."""
    written = json.loads(FILE.read_text())
    one_of = [{"$ref": f"#/components/schemas/{model.__name__}"} for model in models]
    return Draft202012Validator({"oneOf": one_of, "components": written["components"]})


def test_the_file_is_current() -> None:
    assert json.loads(FILE.read_text()) == document(), (
        "python -m asgi_app.asyncapi > docs/reference/asyncapi.json"
    )


def test_every_reference_leads_somewhere() -> None:
    written = document()

    def check(node: Any) -> None:
        if isinstance(node, dict):
            if "$ref" in node:
                found = written
                for part in node["$ref"].removeprefix("#/").split("/"):
                    found = found[part]
            for value in node.values():
                check(value)
        elif isinstance(node, list):
            for value in node:
                check(value)

    check(written)
    for schema in written["components"]["schemas"].values():
        Draft202012Validator.check_schema(schema)


def test_a_session_says_nothing_that_is_not_in_it(stack: Stack, board: str) -> None:
    from_client, to_client = validator(FROM_CLIENT), validator(TO_CLIENT)
    topic = f"board:{board}"
    said: set[str] = set()
    with Socket(stack) as socket:

        def send(message: dict[str, Any], answer: str) -> None:
            from_client.validate(message)
            socket.send(message)
            expect(answer)

        def expect(op: str) -> dict[str, Any]:
            while True:
                message = socket.receive()
                to_client.validate(message)
                said.add(message["op"])
                if message["op"] == op:
                    return message

        send({"op": "ping"}, "pong")
        send({"op": "subscribe", "topic": topic, "since": "0-0"}, "subscribed")
        send({"op": "subscribe", "topic": "user:nobody"}, "error")
        with http(stack) as client:
            note = client.post("/api/notes", json={"board": board, "text": "a"}).json()
            client.patch(f"/api/notes/{note['id']}", json={"done": True})
            client.delete(f"/api/notes/{note['id']}")
        for kind in ("note.created", "note.updated", "note.deleted"):
            assert expect("event")["type"] == kind
        send({"op": "subscribe", "topic": topic, "since": "feed-7"}, "subscribed")
        expect("presence")
        with Socket(stack, topic=topic) as other:
            other.expect("subscribed")
            whisper = {"op": "whisper", "topic": topic, "data": {"typing": True}}
            from_client.validate(whisper)
            other.send(whisper)
            expect("whisper")
            me = {"op": "subscribe", "topic": topic, "me": {"name": "Ann"}}
            from_client.validate(me)
            other.send(me)
            expect("people")
        send({"op": "whisper", "topic": "user:nobody", "data": None}, "error")
        from_client.validate({"op": "unsubscribe", "topic": topic})
    outages = {"behind", "current"}  # test_sidecar_outage.py
    assert said == {model.model_fields["op"].default for model in TO_CLIENT} - outages


@pytest.mark.parametrize(
    "message", ["x", [], {}, {"op": "shout"}, {"op": "subscribe"}, {"op": "subscribe", "topic": "a b"},
                {"op": "ping", "x": 1}]
)  # fmt: skip
def test_what_the_sidecar_refuses_the_document_refuses_too(message: Any) -> None:
    with pytest.raises(ValidationError):
        raise best_match(validator(FROM_CLIENT).iter_errors(message)) or AssertionError("it is valid")
