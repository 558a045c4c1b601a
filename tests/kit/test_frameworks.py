"""The kit works from whatever an app is made of."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING
from wsgiref.util import setup_testing_defaults

import django
import pytest
from django.conf import settings as django_settings
from django.http import HttpRequest, HttpResponse
from django.test import Client
from django.urls import path
from flask import Flask, render_template_string

from corkboard import listen, publish
from local.settings import ROOT
from tests.harness.redis_server import RedisServer

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

TOPIC = "frameworks"


@pytest.fixture(autouse=True)
def _fresh(server: RedisServer) -> None:
    server.client().delete(f"topic:{{{TOPIC}}}", f"stream:{{{TOPIC}}}")


def types(server: RedisServer) -> list[str]:
    return [event["type"] for event in server.events(TOPIC)]


def test_a_flask_view(server: RedisServer) -> None:
    app = Flask(__name__)

    @app.get("/")
    def page() -> str:
        return render_template_string("<head>{{ realtime }}</head>", realtime=listen(TOPIC))

    @app.post("/")
    def ship() -> dict[str, str]:
        return {"id": publish(TOPIC, "from.flask")}

    client = app.test_client()
    assert client.post("/").json["id"].endswith("-1")  # type: ignore[index]
    assert b"<head><script type=" in client.get("/").data
    assert types(server) == ["from.flask"]


def test_a_plain_wsgi_callable(server: RedisServer) -> None:
    def app(_environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        start_response("200 OK", [])
        return [publish(TOPIC, "from.wsgi").encode(), str(listen(TOPIC)).encode()]

    environ: WSGIEnvironment = {}
    setup_testing_defaults(environ)
    answer = b"".join(app(environ, lambda *_: lambda _body: None))
    assert b"<script" in answer
    assert types(server) == ["from.wsgi"]


def django_page(_request: HttpRequest) -> HttpResponse:
    publish(TOPIC, "from.django")
    return HttpResponse(listen(TOPIC))


urlpatterns = [path("", django_page)]


def test_a_django_view(server: RedisServer) -> None:
    if not django_settings.configured:
        django_settings.configure()
    django_settings.ROOT_URLCONF = __name__
    django_settings.ALLOWED_HOSTS = ["testserver"]
    django.setup()
    answer = Client().get("/")
    assert answer.status_code == 200
    assert b"data-realtime" in answer.content
    assert types(server) == ["from.django"]


def test_a_coroutine_through_a_thread(server: RedisServer) -> None:
    async def story() -> list[str]:
        return await asyncio.gather(*(asyncio.to_thread(publish, TOPIC, "from.asyncio") for _ in range(20)))

    assert len(set(asyncio.run(story()))) == 20
    assert types(server) == ["from.asyncio"] * 20


def test_an_interactive_shell(server: RedisServer) -> None:
    done = subprocess.run(
        [sys.executable, "-i"],
        input=f"from corkboard import publish\npublish('{TOPIC}', 'from.shell')\n",
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert "-1'" in done.stdout
    assert types(server) == ["from.shell"]
