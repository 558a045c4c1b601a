"""What is said over `/ws`, as an AsyncAPI 3.0 document.

`python -m asgi_app.asyncapi > docs/reference/asyncapi.json` writes it, from the models that the code itself
uses. https://www.asyncapi.com/docs/reference/specification/v3.0.0
"""

from __future__ import annotations

import inspect
import json
from functools import cache
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from asgi_app.transports import messages

FROM_CLIENT: tuple[type[BaseModel], ...] = (
    messages.Subscribe,
    messages.Unsubscribe,
    messages.Whisper,
    messages.Ping,
)
TO_CLIENT: tuple[type[BaseModel], ...] = (
    messages.Subscribed,
    messages.EventMessage,
    messages.Presence,
    messages.People,
    messages.Whispered,
    messages.Behind,
    messages.Current,
    messages.Pong,
    messages.Error,
)
CHANNEL = "#/channels/ws"


def routes() -> list[BaseRoute]:
    """`/ws/asyncapi.json`: the document. It is made when somebody asks for it."""

    @cache
    def body() -> bytes:
        return json.dumps(document()).encode()

    async def describe(_request: Request) -> Response:
        return Response(body(), headers={"Cache-Control": "no-cache"}, media_type="application/json")

    return [Route("/ws/asyncapi.json", describe)]


def document() -> dict[str, Any]:
    """The whole document."""
    _, schemas = models_json_schema(
        [(model, "validation") for model in FROM_CLIENT] + [(model, "serialization") for model in TO_CLIENT],
        ref_template="#/components/schemas/{model}",
    )
    for schema in schemas["$defs"].values():
        if "op" in schema["properties"]:
            schema["required"] = sorted({"op", *schema.get("required", [])})
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Corkboard realtime",
            "version": "1",
            "description": "Every event of a topic once, in order. Close codes: docs/reference/protocol.md.",
            "license": {"name": "MIT"},
        },
        "defaultContentType": "application/json",
        "servers": {"site": {"host": "localhost:8080", "protocol": "ws"}},
        "channels": {
            "ws": {
                "address": "/ws",
                "description": "One connection for up to 100 topics.",
                "messages": {
                    model.__name__: {"$ref": f"#/components/messages/{model.__name__}"}
                    for model in FROM_CLIENT + TO_CLIENT
                },
                "bindings": {"ws": {"method": "GET", "query": _query(), "bindingVersion": "0.1.0"}},
            }
        },
        "operations": {
            # As seen from the sidecar.
            "fromClient": _operation("receive", FROM_CLIENT),
            "toClient": _operation("send", TO_CLIENT),
        },
        "components": {
            "messages": {model.__name__: _message(model) for model in FROM_CLIENT + TO_CLIENT},
            "schemas": schemas["$defs"],
        },
    }


def _query() -> dict[str, Any]:
    fields = messages.Subscribe.model_json_schema()["properties"]
    return {
        "type": "object",
        "properties": {
            "topic": {**fields["topic"], "description": "Subscribes to this topic at once."},
            "since": {"type": "string", "description": "Begins with the event after this cursor."},
            "ticket": {"type": "string", "description": "A ticket, for topics that are not public."},
        },
    }


def _operation(action: str, models: tuple[type[BaseModel], ...]) -> dict[str, Any]:
    return {
        "action": action,
        "channel": {"$ref": CHANNEL},
        "messages": [{"$ref": f"{CHANNEL}/messages/{model.__name__}"} for model in models],
    }


def _message(model: type[BaseModel]) -> dict[str, Any]:
    return {
        "name": str(model.model_fields["op"].default),
        "summary": " ".join(inspect.cleandoc(model.__doc__ or "").split()),
        "payload": {"$ref": f"#/components/schemas/{model.__name__}"},
    }


if __name__ == "__main__":
    print(json.dumps(document(), indent=2))
