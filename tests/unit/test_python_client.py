"""What the Python clients believe, ask for and put up with, without a socket."""

from __future__ import annotations

import json
import math
import re
import subprocess
import sys
from typing import Any

import pytest

from asgi_app.topics.cursor import _FORM as THEIR_CURSOR
from corkboard.client import Event, Lost, Refused, Timing, connect, listen
from corkboard.client.core import CURSOR, Core, Topics
from corkboard.client.ending import Ending
from corkboard.client.timing import GOOD_AFTER_SECONDS, LONG_WAIT_SECONDS
from corkboard.client.wire import Target
from local.settings import ROOT

NOW = 1000.0
# Full jitter is not seen in one try.
TRIES = 100


def opened(topics: Topics, ticket: str | None = None) -> Core:
    """A client whose connection is open; it has a `ticket` if it can get one."""
    core = Core(topics, Timing(), renewable=ticket is not None)
    if core.wants_ticket:
        core.renewed(ticket)
    core.opened()
    return core


def asked(core: Core) -> list[tuple[str, str | None]]:
    """The topics that it asks for, and since when; they count as sent."""
    found = [json.loads(text) for text in core.outgoing]
    core.outgoing.clear()
    assert {one.pop("op") for one in found} <= {"subscribe"}
    return [(one["topic"], one.get("since")) for one in found]


def say(core: Core, op: str, **more: Any) -> Event | Lost | None:
    """The server says something."""
    return core.take(json.dumps({"op": op, **more}), NOW)


def subscribed(core: Core, cursor: str, recovered: bool = True, topic: str = "a") -> Event | Lost | None:
    return say(core, "subscribed", topic=topic, cursor=cursor, recovered=recovered)


def event(core: Core, cursor: str, topic: str = "a") -> str | None:
    """An event arrives; the id of what the user gets, if anything."""
    item = say(core, "event", topic=topic, id=cursor, type="t", time="now", request_id="", data={"n": cursor})
    assert item is None or item == Event(topic, cursor, "t", "now", "", {"n": cursor})
    return item.id if isinstance(item, Event) else None


def live(topics: Topics = ("a",), ticket: str | None = None) -> Core:
    """A client to which all topics are confirmed."""
    core = opened(topics, ticket)
    for topic in core.cursors:
        subscribed(core, "e-1", topic=topic)
    asked(core)
    return core


def longest(ending: Ending, failures: int = 0, lived: float = 0) -> float:
    """The longest of many random pauses, after failures and a connection that `lived` so many seconds."""
    found = []
    for _ in range(TRIES):
        core = opened(["a"])
        for _ in range(failures):
            core.lost(Ending("no connection"), NOW)
        subscribed(core, "e-1")
        found.append(core.lost(ending, NOW + lived))
    assert min(found) >= 0
    return max(found)


def test_each_topic_is_asked_for_from_where_it_stands() -> None:
    core = opened({"a": None, "b": "e-7"})
    assert asked(core) == [("a", None), ("b", "e-7")]
    subscribed(core, "e-4")
    assert event(core, "e-8", "b") == "e-8"
    core.lost(Ending("cut"), NOW)
    core.opened()
    assert asked(core) == [("a", "e-4"), ("b", "e-8")]


def test_it_has_begun_when_every_topic_is_confirmed() -> None:
    core = opened(["a", "b"])
    subscribed(core, "e-1")
    assert not core.begun
    subscribed(core, "e-1", topic="b")
    assert core.begun


def test_an_event_that_comes_twice_is_handed_out_once() -> None:
    core = live()
    assert [event(core, f"e-{number}") for number in (2, 3, 2, 3, 1, 4)] == ["e-2", "e-3", *[None] * 3, "e-4"]


def test_a_gap_is_asked_for_once_and_what_comes_meanwhile_waits() -> None:
    core = live()
    assert [event(core, "e-4"), event(core, "e-5")] == [None, None]
    assert asked(core) == [("a", "e-1")]
    assert subscribed(core, "e-1") is None
    assert [event(core, f"e-{number}") for number in (2, 3, 4, 5)] == ["e-2", "e-3", "e-4", "e-5"]
    assert asked(core) == []


def test_the_own_position_stands_while_missed_events_follow() -> None:
    core = opened({"a": "e-1"})
    assert subscribed(core, "e-9") is None
    assert event(core, "e-2") == "e-2"


def test_the_first_event_of_a_topic_names_its_epoch_and_another_epoch_is_a_gap() -> None:
    core = opened({"a": "0-0"})
    subscribed(core, "0-0")
    asked(core)
    assert event(core, "e-1") == "e-1"
    assert event(core, "f-2") is None
    assert asked(core) == [("a", "e-1")]


def test_what_cannot_be_recovered_is_said_and_the_stream_goes_on_behind_it() -> None:
    core = opened({"a": "e-1"})
    assert subscribed(core, "f-6", recovered=False) == Lost("a", "f-6")
    assert event(core, "f-7") == "f-7"


def test_what_it_does_not_know_is_passed_over() -> None:
    core = live()
    assert event(core, "e-2", topic="unknown") is None
    assert say(core, "presence", topic="a", count=3) is None
    assert say(core, "whatever") is None


def test_a_server_that_cannot_get_events_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    assert say(live(), "behind", since="2026-11-20T14:02:00Z") is None
    assert "since 2026-11-20T14:02:00Z" in caplog.text


def test_the_pause_doubles_up_to_its_bound_and_is_spread_from_zero_on() -> None:
    for failures, bound in enumerate((0.5, 1, 2, 4, 8, 16, 20, 20)):
        assert bound * 0.8 < longest(Ending("no connection"), failures) <= bound
    core = opened(["a"])
    assert max(core.lost(Ending("no connection"), NOW) for _ in range(2000)) <= 20


@pytest.mark.parametrize(("lived", "bound"), [(GOOD_AFTER_SECONDS + 1, 0.5), (GOOD_AFTER_SECONDS - 1, 20)])
def test_only_a_connection_that_lived_for_a_while_makes_the_next_failure_the_first(
    lived: float, bound: float
) -> None:
    assert bound * 0.8 < longest(Ending("closed", code=1012), 10, lived) <= bound


def test_an_overloaded_server_is_given_longer() -> None:
    assert 0.5 < longest(Ending("closed", code=1013)) <= 2


def test_a_server_that_names_a_time_is_obeyed_and_not_by_all_at_once() -> None:
    found = [opened(["a"]).lost(Ending("refused", status=429, retry_after=7), NOW) for _ in range(TRIES)]
    assert 7 <= min(found) < max(found) <= 10.5


@pytest.mark.parametrize("code", [1003, 1008, 1009])
def test_a_close_that_blames_the_client_keeps_it_away_for_long(code: int) -> None:
    assert live().lost(Ending("closed", code=code), NOW) >= LONG_WAIT_SECONDS


@pytest.mark.parametrize(
    "ending", [{"code": 4403}, {"status": 403}, {"status": 404}, {"final": True}], ids=str
)
def test_where_another_try_would_not_help_it_ends_and_says_why(ending: dict[str, Any]) -> None:
    with pytest.raises(Refused, match="because"):
        live(ticket="t").lost(Ending("because", **ending), NOW)


@pytest.mark.parametrize(
    "ending", [{"status": 503}, {"status": 502}, {"status": 429}, {"code": 1012}, {}], ids=str
)
def test_from_everything_that_passes_it_comes_back_with_the_ticket_it_has(ending: dict[str, Any]) -> None:
    core = live(ticket="t")
    core.lost(Ending("gone", **ending), NOW)
    assert not core.wants_ticket
    assert core.headers() == {"Authorization": "Bearer t"}


@pytest.mark.parametrize("ending", [{"code": 4401}, {"status": 401}], ids=str)
def test_a_ticket_that_expired_is_replaced_by_a_new_one(ending: dict[str, Any]) -> None:
    core = live(ticket="old")
    core.lost(Ending("expired", **ending), NOW)
    assert core.wants_ticket
    core.renewed("new")
    assert core.headers() == {"Authorization": "Bearer new"}
    # It is refused, too, and another one would be.
    core.opened()
    with pytest.raises(Refused, match="expired"):
        core.lost(Ending("expired", **ending), NOW)


def test_a_ticket_that_expired_before_it_was_ever_accepted_is_replaced() -> None:
    core = opened(["a"], ticket="old")
    core.lost(Ending("no connection"), NOW)
    core.opened()
    with pytest.raises(Ending) as ending:
        say(core, "error", code="not_allowed", detail="a needs a valid ticket")
    core.lost(ending.value, NOW)
    assert core.wants_ticket
    core.renewed("new")
    core.opened()
    with pytest.raises(Refused, match="a needs a valid ticket"):
        core.lost(ending.value, NOW)


def test_without_a_way_to_a_new_ticket_an_expired_one_ends_it() -> None:
    with pytest.raises(Refused, match="expired"):
        live().lost(Ending("expired", code=4401), NOW)


def test_a_topic_that_is_refused_beside_a_public_one_is_tried_with_one_new_ticket() -> None:
    def not_allowed() -> Ending:
        core.opened()
        subscribed(core, "e-1", topic="public")
        with pytest.raises(Ending) as ending:
            say(core, "error", code="not_allowed", detail="private needs a valid ticket")
        return ending.value

    core = live(["public", "private"], ticket="old")
    core.lost(Ending("cut"), NOW)
    core.lost(not_allowed(), NOW)
    assert core.wants_ticket
    core.renewed("new")
    with pytest.raises(Refused, match="private needs a valid ticket"):
        core.lost(not_allowed(), NOW)


def test_what_no_ticket_would_change_is_refused() -> None:
    with pytest.raises(Refused, match="bad_message: why"):
        say(opened(["a"], ticket="t"), "error", code="bad_message", detail="why")


def test_where_others_at_its_address_leave_too_few_topics_it_comes_back_as_to_a_busy_server() -> None:
    with pytest.raises(Ending) as ending:
        say(opened(["a"]), "error", code="too_many_topics", detail="too many from your address")
    waits = []
    for _ in range(TRIES):
        core = live(ticket="t")
        waits.append(core.lost(ending.value, NOW))
        assert not core.wants_ticket
    assert 0.5 < max(waits) <= 2


@pytest.mark.parametrize("client", [connect, listen])
@pytest.mark.parametrize(
    ("url", "topics", "named"),
    [
        ("localhost:8080", ["a"], "localhost:8080"),
        ("ftp://host", ["a"], "ftp://host"),
        ("https://", ["a"], "https://"),
        ("https://host", "a", "topics"),
        ("https://host", [], "0"),
        ("https://host", [f"t{number}" for number in range(101)], "101"),
        ("https://host", ["a b"], "a b"),
        ("https://host", {"a": "7"}, "'7'"),
        ("https://host", {"a": ""}, "''"),
    ],
)
def test_what_makes_no_sense_is_refused_by_name(client: Any, url: str, topics: Any, named: str) -> None:
    with pytest.raises((ValueError, TypeError), match=re.escape(named)):
        client(url, topics)


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("http://host:8080", "ws://host:8080/ws"),
        ("https://host/", "wss://host/ws"),
        ("https://host/live/", "wss://host/live/ws"),
        ("wss://host/live/ws", "wss://host/live/ws"),
    ],
)
def test_the_address_is_that_of_a_site_or_of_its_socket(url: str, address: str) -> None:
    assert Target(url, {}, {}).address == address


@pytest.mark.parametrize("name", [*vars(Timing())])
@pytest.mark.parametrize("value", [0, -1, math.inf, math.nan])
def test_a_time_that_makes_no_sense_is_refused_by_name(name: str, value: float) -> None:
    with pytest.raises(ValueError, match=name):
        Timing(**{name: value})


def test_a_bound_below_the_first_pause_is_refused() -> None:
    with pytest.raises(ValueError, match="backoff_cap"):
        Timing(backoff_base=2, backoff_cap=1)


def test_it_waits_as_long_as_the_browsers_client() -> None:
    scripts = "".join((ROOT / "asgi_app" / "client" / f"{name}.js").read_text() for name in ("link", "retry"))
    theirs = dict(re.findall(r"^const ([A-Z_]+) = ([\d_]+);", scripts, re.MULTILINE))
    timing = Timing()
    ours = {
        "PING_EVERY": timing.ping_every,
        "PONG_WITHIN": timing.answer_within,
        "RETRY_BASE": timing.backoff_base,
        "RETRY_CAP": timing.backoff_cap,
        "GOOD_AFTER": GOOD_AFTER_SECONDS,
        "LONG_WAIT": LONG_WAIT_SECONDS,
    }
    assert ours == {name: int(theirs[name]) / 1000 for name in ours}


def test_it_knows_a_cursor_as_the_sidecar_does() -> None:
    assert CURSOR.pattern == THEIR_CURSOR.pattern


def test_without_the_package_websockets_the_kit_works_and_the_client_names_what_to_install() -> None:
    code = (
        "import sys; sys.modules['websockets'] = None\n"
        "import corkboard; print('works')\n"
        "import corkboard.client"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.stdout == "works\n"
    assert done.returncode == 1
    assert "pip install 'corkboard[client]'" in done.stderr
