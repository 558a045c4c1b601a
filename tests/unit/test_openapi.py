"""The description of the API is valid OpenAPI and says what the app does: no route more, none less."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask
from openapi_spec_validator import OpenAPIV31SpecValidator, validate

from wsgi_app import settings
from wsgi_app.app import create_app
from wsgi_app.notes import openapi
from wsgi_app.notes.models import COLORS

METHODS = {"get", "post", "put", "patch", "delete"}


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    return openapi.document()


@pytest.fixture
def app(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> Iterator[Flask]:
    for name in ("SESSION_KEY", "CORKBOARD_SECRET_KEY"):
        monkeypatch.setenv(name, "s" * 32)
    monkeypatch.setenv("CORKBOARD_URL", "redis://127.0.0.1:1/0")
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(tmp_path))
    settings.load.cache_clear()
    yield create_app()
    settings.load.cache_clear()


def operations(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, item in document["paths"].items():
        for method in METHODS & item.keys():
            yield path, method, item[method]


def test_it_is_valid_openapi_3_1(document: dict[str, Any]) -> None:
    assert document["openapi"].startswith("3.1.")
    validate(document, cls=OpenAPIV31SpecValidator)


def test_it_describes_every_route_under_api_and_no_other(app: Flask, document: dict[str, Any]) -> None:
    routes = {
        (re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule), method.lower(), rule.endpoint.rpartition(".")[2])
        for rule in app.url_map.iter_rules()
        if rule.rule.startswith("/api/")
        for method in rule.methods or ()
        if method.lower() in METHODS
    }
    described = {(path, method, one["operationId"]) for path, method, one in operations(document)}
    assert described == routes


def test_every_answer_has_a_request_id_and_every_error_is_a_problem(document: dict[str, Any]) -> None:
    def followed(answer: dict[str, Any]) -> dict[str, Any]:
        name = answer.get("$ref", "").rpartition("/")[2]
        found: dict[str, Any] = document["components"]["responses"][name] if name else answer
        return found

    for _, _, operation in operations(document):
        for status, answer in operation["responses"].items():
            found = followed(answer)
            assert "X-Request-Id" in found["headers"]
            if int(status) >= 400:
                assert found["content"].keys() == {"application/problem+json"}
            if status in ("429", "503"):
                assert "Retry-After" in found["headers"]


def test_it_states_the_rules_of_the_models(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]
    for body in ("NewNote", "NoteChanges"):
        assert schemas[body]["properties"]["text"]["maxLength"] == 2000
        assert schemas[body]["properties"]["color"]["enum"] == list(COLORS)
        assert schemas[body]["additionalProperties"] is False
    query = document["paths"]["/api/notes"]["get"]["parameters"]
    (limit,) = (one["schema"] for one in query if one.get("name") == "limit")
    assert (limit["minimum"], limit["maximum"], limit["default"]) == (1, 200, 50)
