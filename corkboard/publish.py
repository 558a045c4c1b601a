"""Sending events."""

from __future__ import annotations

import json
import re
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from contextvars import ContextVar
from datetime import datetime, timezone
from itertools import islice
from typing import Any, NamedTuple, Union

from redis.exceptions import ResponseError

from corkboard import settings, store

TOPIC = re.compile(r"[A-Za-z0-9][A-Za-z0-9:._-]{0,127}")
REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{8,128}")
KEY_CHARACTERS = 512
DAY = 24 * 60 * 60
# Redis does nothing else while it sends these: a few milliseconds.
EVENTS_PER_CALL = 500
NOWHERE = "0-0"

# The id of the request that causes the events, for frameworks other than Flask: a middleware sets it.
request_id: ContextVar[str] = ContextVar("corkboard_request_id", default="")
# Called with each event that is published: `corkboard.testing` listens here.
recorders: list[Callable[[Event], None]] = []


class Event(NamedTuple):
    """One event for `publish_many`; a plain tuple does too."""

    topic: str
    type: str
    data: Any = None
    key: str | None = None


AnyEvent = Union[Event, "tuple[str, str]", "tuple[str, str, Any]", "tuple[str, str, Any, str | None]"]


class TooLate(Exception):
    """Nothing was sent: a sender stood still for so long that keys of its events may be forgotten by now."""


def publish(topic: str, type: str, data: Any = None, *, key: str | None = None) -> str:  # noqa: A002
    """Sends an event to everybody who listens to `topic`, now or, after a broken connection, later.

    Call it after the write that it reports has been committed.

    Args:
        topic: letters, digits and `: . _ -`, at most 128 characters.
        type: what happened, such as `order.shipped`.
        data: anything that JSON can express.
        key: makes a repeat harmless: the same key on the same topic within a day sends nothing.

    Returns:
        The event's id, which is the cursor after it. For a repeat, the id of the first one.

    Raises:
        ValueError: the topic, type or key is invalid.
        TypeError: JSON cannot express `data`.
        NotConfigured: CORKBOARD_URL is not set.
        StoreFull: Redis has no memory for it; nothing was sent. It is a StoreUnavailable, too.
        Unconfirmed: it was sent, but too few replicas confirmed it; it is a StoreUnavailable, too.
        StoreUnavailable: no answer from Redis within 2 s; it is unknown whether the event was sent.
    """
    return send([Event(topic, type, data, key)])[0]


def publish_many(events: Iterable[AnyEvent]) -> list[str]:
    """Sends events, in this order, in one round trip per 500; returns their ids.

    All events of a round trip are sent in one step; in a Redis Cluster, all that are of one topic.

    Raises:
        As `publish`. Of several round trips, the earlier ones may have been sent.
    """
    all_events = iter([_event(event) for event in events])
    ids: list[str] = []
    while chunk := list(islice(all_events, EVENTS_PER_CALL)):
        ids += send(chunk)
    return ids


def send(
    events: Sequence[Event],
    *,
    keep: int = DAY,
    read_at: float | None = None,
    fresh: float | None = None,
    gone: Sequence[Event] = (),
    gone_keep: int = 0,
    seconds: float = store.ANSWER_SECONDS,
) -> list[str]:
    """Sends events in one step and returns their ids.

    Args:
        events: in the order in which they are to arrive.
        keep: seconds for which their keys are remembered.
        read_at: the time, by `now`, before the events were read from where they wait.
        fresh: when more seconds have passed since `read_at`, nothing is sent; half of `keep` by default.
        gone: events that were sent before, and wait nowhere any more.
        gone_keep: seconds for which the keys of those are remembered from now on.
        seconds: to wait for an answer.

    Raises:
        As `publish`, and TooLate.
    """
    if not events:
        return []
    keys, arguments = words(events, keep=keep, read_at=read_at, fresh=fresh, gone=gone, gone_keep=gone_keep)
    for event in events:
        for record in recorders:
            record(event)
    if settings.load().off:
        return [NOWHERE] * len(events)
    target = store.default()
    if not target.is_cluster:
        return _call(target, events, keys, arguments, seconds)
    # Topics are on different servers. Each has a call of its own, which declares all keys that it uses.
    about: dict[str, Any] = {"keep": keep, "read_at": read_at, "fresh": fresh, "gone_keep": gone_keep}
    until = time.monotonic() + seconds
    ids = [""] * len(events)
    topics: dict[str, list[int]] = {event.topic: [] for event in (*events, *gone)}
    for number, event in enumerate(events):
        topics[event.topic].append(number)
    for topic, numbers in topics.items():
        some = [events[number] for number in numbers]
        _, arguments = words(some, **about, gone=[event for event in gone if event.topic == topic])
        has_memory = len(numbers) == 0 or any(event.key for event in some)
        names = ("topic", "stream", "once") if has_memory else ("topic", "stream")
        keys = [f"{name}:{{{topic}}}" for name in names]
        found = _call(target, some, keys, arguments, max(0.0, until - time.monotonic()))
        for number, id_ in zip(numbers, found):
            ids[number] = id_
    return ids


def _call(
    target: store.Store,
    events: Sequence[Event],
    keys: Sequence[str],
    arguments: Sequence[str | bytes],
    seconds: float,
) -> list[str]:
    try:
        answer: list[bytes] = target.call(
            "publish", keys, *arguments, repeat=all(event.key for event in events), seconds=seconds
        )
    except ResponseError as error:
        if str(error).startswith("LATE"):
            raise TooLate("the events were read too long ago; read them again") from None
        raise
    return [each.decode() for each in answer]


def words(
    events: Sequence[Event],
    *,
    keep: int = DAY,
    read_at: float | None = None,
    fresh: float | None = None,
    gone: Sequence[Event] = (),
    gone_keep: int = 0,
) -> tuple[list[str], list[str | bytes]]:
    """The keys and arguments of the function `publish`, for `Store.call`.

    Raises:
        ValueError, TypeError, NotConfigured: as `publish`.
    """
    forget: dict[str, list[str]] = {}
    for event in gone:
        forget.setdefault(event.topic, []).append(event.key or "")
    about_keys = {
        "keep": keep,
        "read_at": read_at or 0,
        "fresh": keep / 2 if fresh is None else fresh,
        "gone": forget,
        "gone_keep": gone_keep,
    }
    arguments: list[str | bytes] = [json.dumps({**facts(), **about_keys})]
    for event in events:
        arguments += checked(event)
    return [f"topic:{{{topic}}}" for topic in (*(event.topic for event in events), *forget)], arguments


def facts() -> dict[str, Any]:
    """What functions of an app's own need to append events: time, request_id, and how many a topic keeps.

    Raises:
        NotConfigured: as `publish`.
    """
    return {
        "time": datetime.now(timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "request_id": _request_id(),
        "history": settings.load().history_length,
    }


def now(*, seconds: float = store.ANSWER_SECONDS) -> float:
    """The time of Redis, in seconds.

    Raises:
        NotConfigured, StoreUnavailable: as `publish`.
    """
    (answer,) = store.default().ask(("TIME",), seconds=seconds)
    whole, microseconds = answer
    return int(whole) + int(microseconds) / 1e6


def position(topic: str) -> str:
    """The cursor of a topic: a client that subscribes from it gets everything that comes after this call.

    Read it before the data that it is sent along with.

    Raises:
        ValueError, NotConfigured, StoreUnavailable: as `publish`.
    """
    return positions([topic])[0]


def positions(topics: Sequence[str], *, seconds: float = store.ANSWER_SECONDS) -> list[str]:
    """The cursors of topics, in one round trip of at most `seconds`.

    Raises:
        ValueError, NotConfigured, StoreUnavailable: as `publish`.
    """
    for topic in topics:
        check_topic(topic)
    if not topics or settings.load().off:
        return [NOWHERE] * len(topics)
    asked = [("HMGET", f"topic:{{{topic}}}", "epoch", "offset") for topic in topics]
    answers = store.default().ask(*asked, seconds=seconds)
    return [f"{(epoch or b'0').decode()}-{(offset or b'0').decode()}" for epoch, offset in answers]


def check_topic(topic: str) -> None:
    """Raises ValueError when `topic` is none."""
    if not isinstance(topic, str) or not TOPIC.fullmatch(topic):
        raise ValueError(f"{topic!r} is not a topic: use letters, digits and : . _ - (at most 128)")


def checked(event: Event) -> tuple[str, bytes, bytes, bytes]:
    """Topic, type, key and data of an event, as they are sent.

    Raises:
        ValueError, TypeError: as `publish`.
    """
    check_topic(event.topic)
    if not isinstance(event.type, str) or not event.type:
        raise ValueError(f"{event.type!r} is not an event's type: use a word such as order.shipped")
    key = event.key
    if key is not None and not (isinstance(key, str) and 0 < len(key) <= KEY_CHARACTERS):
        raise ValueError(f"{key!r} is not a key: use text of 1 to {KEY_CHARACTERS} characters")
    data = json.dumps(event.data, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    # What UTF-8 cannot hold raises here, before anything is sent.
    return event.topic, event.type.encode(), (key or "").encode(), data.encode()


def _event(event: AnyEvent) -> Event:
    # A text would be taken apart into its letters.
    if not isinstance(event, (tuple, list)):
        raise TypeError(f"{event!r} is not an event: use corkboard.Event, or a tuple (topic, type, data)")
    return Event(*event)


def _request_id() -> str:
    said = request_id.get()
    if said and REQUEST_ID.fullmatch(said):
        return said
    # Whoever has not imported Flask is in no request of Flask's.
    flask = sys.modules.get("flask")
    given = flask.request.headers.get("X-Request-Id", "") if flask and flask.has_request_context() else ""
    return given if REQUEST_ID.fullmatch(given) else ""
