"""The one call that makes a Flask view realtime. It works with any data store."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from typing import Any

from flask import current_app, g, has_request_context

from corkboard.store import Store

TOPIC = re.compile(r"[A-Za-z0-9][A-Za-z0-9:._-]{0,127}")


def store() -> Store:
    """The store of the running app."""
    found: Store = current_app.extensions["store"]
    return found


def facts(type: str) -> dict[str, Any]:  # noqa: A002  (the event's own word for it)
    """What an event carries beside its data, and the cap of its stream."""
    return {
        "type": type,
        "time": datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "request_id": g.request_id if has_request_context() else "",
        "history": current_app.config["HISTORY_LENGTH"],
    }


def publish(topic: str, type: str, data: Any) -> str:  # noqa: A002
    """Sends an event to everybody who listens to `topic`, now or, having been away, later.

    Call it after the write that it tells of has been committed. `data` is anything that JSON can say.
    Returns the event's id, `EPOCH-OFFSET`: the cursor after it.

    Raises:
        ValueError: the topic has characters other than letters, digits and `: . _ -`, or over 128 of them.
        TypeError: JSON cannot say `data`.
        StoreUnavailable: Redis is away; whether the event went out is unknown.
    """
    if not TOPIC.fullmatch(topic):
        raise ValueError(f"{topic!r} is no topic: use letters, digits and : . _ - (at most 128)")
    body = json.dumps(data, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    answer: bytes = store().call("publish", topic, facts(type), body)
    return answer.decode()


def position(topic: str) -> str:
    """The cursor of a topic: who subscribes from it hears of everything that comes after this call.

    Read it before the data that it is sent along with. Raises StoreUnavailable.
    """
    epoch, offset = store().hash_get_many(f"topic:{{{topic}}}", "epoch", "offset")
    return f"{(epoch or b'0').decode()}-{(offset or b'0').decode()}"
