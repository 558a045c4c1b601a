"""Only pages of this site connect; only public topics need no ticket."""

from __future__ import annotations

import base64
import json
import time
from typing import Any

import jwt
import pytest
from starlette.requests import HTTPConnection

from asgi_app import limits
from asgi_app.door import origin_allowed
from asgi_app.tickets import Ticket, matcher, read, refusal


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
        ("HTTP://Site:8080", True),
        ("https://site:8080", False),
        ("http://site", False),
        ("http://site:8080/", False),
        ("ftp://site:8080", False),
        ("http://site:99999", False),
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
    assert origin_allowed(connection("site:8080", origin), ()) is allowed


@pytest.mark.parametrize(
    ("host", "proto", "origin", "allowed"),
    [
        ("site", "https", "https://site", True),
        ("site:443", "https", "https://site", True),
        ("site", "https", "http://site", False),
        ("site", "http", "https://site", False),
        ("site:80", "http", "http://site", True),
        ("site", "https", "https://site:8443", False),
    ],
)
def test_an_origin_is_scheme_host_and_port_as_the_browser_sees_them(
    host: str, proto: str, origin: str, allowed: bool
) -> None:
    asked = connection(host, origin)
    asked.scope["headers"].append((b"x-forwarded-proto", proto.encode()))
    assert origin_allowed(HTTPConnection(asked.scope), ()) is allowed


def test_a_list_of_origins_is_taken_to_the_letter() -> None:
    allowed = ("https://a.example", "https://b.example")
    assert origin_allowed(connection("site", "https://b.example"), allowed)
    assert not origin_allowed(connection("site", "http://b.example"), allowed)
    assert not origin_allowed(connection("site", "http://site"), allowed)


def test_public_topics_are_globs() -> None:
    is_public = matcher(("board:*", "news"))
    for topic in ("board:main", "news"):
        assert is_public(topic)
    for topic in ("news:today", "user:1", "a-board:main", "board"):
        assert not is_public(topic)
    assert not matcher(())("board:main")


KEY = "k" * 32
FAR = 9_999_999_999


def signed(payload: bytes | dict[str, Any], key: str = KEY) -> str:
    """A token with any payload at all."""
    return jwt.PyJWS().encode(
        payload if isinstance(payload, bytes) else json.dumps(payload).encode(), key, "HS256"
    )


def claims(**changed: Any) -> dict[str, Any]:
    """Those of a good ticket, with changes; `...` leaves one out."""
    good = {"sub": "s", "iat": 1, "exp": FAR, "topics": ["user:*"]}
    return {name: value for name, value in {**good, **changed}.items() if value is not ...}


def test_a_good_ticket_is_read_whichever_key_signed_it() -> None:
    for key in (KEY, "o" * 32):
        assert read(signed(claims(), key), [KEY, "o" * 32]) == Ticket("s", 1, FAR, ("user:*",))
    assert read(signed(claims()), ["o" * 32]) is None


@pytest.mark.parametrize(
    "changed",
    [
        {"topics": "user:*"},
        {"topics": [1]},
        {"topics": {"user:*": 1}},
        {"topics": None},
        {"topics": ...},
        {"exp": str(FAR)},
        {"exp": True},
        {"exp": -1},
        {"exp": 1e300},
        {"exp": ...},
        {"iat": "abc"},
        {"iat": None},
        {"iat": ...},
        {"nbf": "soon"},
        {"nbf": FAR},
        {"sub": 1},
        {"sub": ...},
        {"aud": "others"},
    ],
    ids=str,
)
def test_a_ticket_with_one_wrong_claim_is_none(changed: dict[str, Any]) -> None:
    assert read(signed(claims(**changed)), [KEY]) is None


def test_a_ticket_of_nobody_in_particular_is_one() -> None:
    found = read(signed(claims(sub="")), [KEY])
    assert found is not None
    assert found.subject == ""


def test_a_ticket_says_who_its_holder_is_as_short_json() -> None:
    found = read(signed(claims(me={"name": "Zoë"})), [KEY])
    assert found is not None
    assert found.me == '{"name":"Zoë"}'.encode()


def test_a_holder_who_is_too_much_to_say_has_a_good_ticket_all_the_same() -> None:
    endless = json.dumps(claims(me={"n": 1})).replace('{"n": 1}', '{"n": 1e999}').encode()
    for payload in (claims(me={"name": "x" * limits.ME_BYTES}), endless):
        assert read(signed(payload), [KEY]) == Ticket("s", 1, FAR, ("user:*",), None)


@pytest.mark.parametrize(
    "payload",
    [b"", b"[]", b"null", b"\xff", b"{", b'{"sub":"s","iat":1,"exp":Infinity,"topics":[]}', b"[" * 3000],
    ids=repr,
)
def test_a_payload_that_is_no_ticket_is_none(payload: bytes) -> None:
    assert read(signed(payload), [KEY]) is None


@pytest.mark.parametrize(
    "header", [b"[" * 6000, b"\xff", b"{}", b'{"alg":"none"}'], ids=lambda text: repr(text[:9])
)
def test_a_header_that_makes_no_sense_is_none(header: bytes) -> None:
    token = ".".join(base64.urlsafe_b64encode(part).decode() for part in (header, b"{}", b"x"))
    assert read(token, [KEY]) is None


def test_a_ticket_opens_what_its_globs_match_until_it_expires() -> None:
    for seconds, opens in ((60, True), (-1, False)):
        ticket = Ticket("s", 0, time.time() + seconds, ("user:*",))
        assert (refusal("user:1", ticket) is None) is opens
        assert refusal("other", ticket) is not None
