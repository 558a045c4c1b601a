"""`listen`: the page gets its cursors and a ticket for its topics, and is served whatever Redis does."""

from __future__ import annotations

import json
import time
from html.parser import HTMLParser
from typing import Any

import jinja2
import jwt
import pytest
from django.conf import settings as django_settings
from django.template import Context, Engine

import corkboard
from corkboard import listen, publish, settings
from tests.harness.redis_server import RedisServer


def script(html: str) -> tuple[dict[str, str | None], Any]:
    """The attributes of the only element in `html`, and what a browser reads from data-realtime."""
    found: list[tuple[str, dict[str, str | None]]] = []

    class Parser(HTMLParser):
        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            found.append((tag, dict(attrs)))

        def handle_data(self, data: str) -> None:
            raise AssertionError(f"text outside of the element: {data!r}")

    parser = Parser()
    parser.feed(html)
    parser.close()
    ((tag, attributes),) = found
    assert tag == "script"
    return attributes, json.loads(attributes["data-realtime"] or "")


def claims(ticket: str) -> dict[str, Any]:
    decoded: dict[str, Any] = jwt.decode(ticket, settings.load().signing_key, algorithms=["HS256"])
    return decoded


@pytest.mark.usefixtures("server")
def test_the_page_loads_the_script_and_knows_where_each_topic_is(topic: str) -> None:
    last = publish(topic, "x")
    attributes, found = script(listen(topic, "user:1", subject="1"))
    assert (attributes["type"], attributes["src"]) == ("module", "/ws/client/page.js")
    assert found["topics"] == {topic: last, "user:1": "0-0"}
    assert found["stale"] is False
    assert found["refresh_rate"] == 50


@pytest.mark.usefixtures("server")
def test_what_the_script_gets_is_there_for_an_api_too(topic: str) -> None:
    listening = listen(topic)
    assert script(listening)[1] == listening.json == json.loads(json.dumps(listening.json))


@pytest.mark.usefixtures("server")
def test_the_ticket_opens_exactly_these_topics(topic: str) -> None:
    found = claims(listen(topic, "user:1", topic, subject="17").json["ticket"])
    assert found["topics"] == [topic, "user:1"]
    assert found["sub"] == "17"
    assert abs(found["exp"] - found["iat"] - 3600) <= 1
    assert abs(found["iat"] - time.time()) < 10
    assert claims(listen(topic).json["ticket"])["sub"] == ""


@pytest.mark.usefixtures("server")
def test_without_topics_there_is_a_ticket_only_for_a_subject() -> None:
    assert listen().json["ticket"] == ""
    assert claims(listen(subject="17").json["ticket"])["topics"] == []


@pytest.mark.usefixtures("server")
def test_the_ticket_says_who_is_looking_if_the_app_does(topic: str) -> None:
    me = {"name": "Zoë"}
    assert claims(listen(topic, me=me).json["ticket"])["me"] == me
    assert "me" not in claims(listen(topic).json["ticket"])
    with pytest.raises(ValueError, match="256"):
        listen(topic, me={"name": "x" * 256})


@pytest.mark.usefixtures("server")
def test_all_cursors_are_one_round_trip(topic: str, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []
    ask = corkboard.store.Store.ask
    monkeypatch.setattr(
        corkboard.store.Store, "ask", lambda *words, **more: seen.append(len(words)) or ask(*words, **more)
    )
    listen(*(f"{topic}:{number}" for number in range(50)))
    assert seen == [51]


@pytest.mark.parametrize("wrong", ["", "a b", "*", "board:*", "<script>", "ä", "a" * 129, None, 7])
@pytest.mark.usefixtures("server")
def test_what_is_no_topic_is_a_value_error(wrong: Any) -> None:
    with pytest.raises(ValueError):
        listen("good", wrong)


def test_a_frozen_redis_costs_the_page_a_second_and_its_cursors(server: RedisServer, topic: str) -> None:
    publish(topic, "x")
    with server.frozen():
        begun = time.monotonic()
        found = listen(topic, subject="1").json
        assert time.monotonic() - begun < 1.7
        # The next one still waits, for it may be a restart. After that no page waits at all.
        listen(topic)
        begun = time.monotonic()
        listen(topic)
        assert time.monotonic() - begun < 0.3
    assert found["stale"] is True
    assert found["topics"] == {topic: None}
    assert claims(found["ticket"])["topics"] == [topic]


def test_a_redis_that_is_away_or_refuses_is_no_error_of_the_page(
    fragile_server: RedisServer, topic: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    fragile_server.client().set(f"topic:{{{topic}}}", "not a hash")
    assert listen(topic).json["stale"] is True
    fragile_server.kill()
    assert listen(topic).json["stale"] is True
    monkeypatch.setenv("CORKBOARD_URL", f"redis://app:wrong@127.0.0.1:{fragile_server.port}/0")
    assert listen(topic).json["stale"] is True


def test_off_makes_a_script_that_does_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CORKBOARD_URL", "off")
    attributes, found = script(listen("a", subject="1"))
    assert attributes["type"] == "application/json"
    assert "src" not in attributes
    assert found["ticket"] == ""
    assert found["topics"] == {"a": None}


@pytest.mark.usefixtures("server")
def test_template_engines_print_it_as_it_is(topic: str) -> None:
    realtime = listen(topic, subject="""</script><script>alert('1')&amp;"</script>""")
    jinja = jinja2.Environment(autoescape=True).from_string("<head>{{ realtime }}</head>")
    assert jinja.render(realtime=realtime) == f"<head>{realtime}</head>"
    if not django_settings.configured:
        django_settings.configure()
    django = Engine().from_string("<head>{{ realtime }}</head>")
    assert django.render(Context({"realtime": realtime})) == f"<head>{realtime}</head>"


@pytest.mark.usefixtures("server")
def test_a_page_with_more_topics_than_a_connection_carries_is_a_value_error() -> None:
    assert len(listen(*(f"many:{number}" for number in range(100))).json["topics"]) == 100
    with pytest.raises(ValueError, match="100 topics at most"):
        listen(*(f"many:{number}" for number in range(101)))


@pytest.mark.usefixtures("server")
def test_a_users_id_may_be_a_number(topic: str) -> None:
    assert claims(listen(topic, subject=17).json["ticket"])["sub"] == "17"
    assert claims(listen(topic, subject=None).json["ticket"])["sub"] == ""
