"""Only pages of this site connect; only public topics need no ticket."""

from __future__ import annotations

import pytest
from starlette.requests import HTTPConnection

from asgi_app.settings import Settings
from asgi_app.tickets import may_listen, origin_allowed


def connection(host: str, origin: str | None) -> HTTPConnection:
    headers = [(b"host", host.encode())]
    if origin is not None:
        headers.append((b"origin", origin.encode()))
    return HTTPConnection({"type": "websocket", "headers": headers})


@pytest.mark.parametrize(
    ("origin", "allowed"),
    [
        (None, True),
        ("http://site:8080", True),
        ("https://site:8080", True),
        ("http://site", False),
        ("http://evil", False),
        ("null", False),
        ("", False),
        ("http://site:8080.evil", False),
        ("http://evil/site:8080", False),
        ("http://site:8080@evil", False),
        ("http://[", False),
        ("http://[::1]]:8080", False),
    ],
)
def test_without_a_list_only_the_host_itself_may_connect(origin: str | None, allowed: bool) -> None:
    assert origin_allowed(connection("site:8080", origin), Settings()) is allowed


def test_a_list_of_origins_is_taken_to_the_letter() -> None:
    settings = Settings(allowed_origins="https://a.example, https://b.example")  # type: ignore[arg-type]
    assert origin_allowed(connection("site", "https://b.example"), settings)
    assert not origin_allowed(connection("site", "http://b.example"), settings)
    assert not origin_allowed(connection("site", "http://site"), settings)


def test_public_topics_are_globs() -> None:
    settings = Settings(public_topics="board:*,news")  # type: ignore[arg-type]
    for topic in ("board:main", "news"):
        assert may_listen(topic, None, settings) is None
    for topic in ("news:today", "user:1"):
        assert may_listen(topic, None, settings) is not None
