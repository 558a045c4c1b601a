"""What a page needs in order to listen."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from html import escape
from typing import Any

from redis.exceptions import ResponseError

from corkboard import settings
from corkboard.publish import check_topic, positions
from corkboard.store import StoreUnavailable
from corkboard.tickets import sign, subject_of

log = logging.getLogger(__name__)

SCRIPT = "/ws/client/page.js"
# Less than `publish` waits: a page without a cursor is better than a page that is late.
ANSWER_SECONDS = 1.0
# What one connection may subscribe to.
TOPICS = 100


class Listening(str):
    """A `<script>` element for the page's head, which Jinja and Django print as it is.

    Attributes:
        json: the same for an API, to be put into a response: `topics` with the cursor of each (None when
            Redis was away), `ticket`, `stale` and `refresh_rate`.
    """

    json: dict[str, Any]

    def __html__(self) -> str:
        """For template engines: needs no escaping."""
        return str(self)


def listen(*topics: str, subject: str | int | None = "", me: Mapping[str, Any] | None = None) -> Listening:
    """Lets the page that is being made listen to `topics`, from this moment on.

    Call it before the query whose result the page shows: then no event falls between the two. To ask is to
    grant: the page gets a ticket for exactly these topics, so ask for no more than its viewer may see. When
    Redis is away, the page is marked as stale, and catches up once it is connected.

    Args:
        topics: as in `publish`; at most 100.
        subject: who looks at the page, for `revoke`: a user's id, or nothing.
        me: who that is, for the others on these topics, such as `{"name": "Ann"}`; at most 256 bytes of JSON.

    Raises:
        ValueError: a topic is invalid, or there are more than 100, or `me` is larger.
        NotConfigured: CORKBOARD_URL or the key that signs tickets is not set.
    """
    for topic in topics:
        check_topic(topic)
    topics = tuple(dict.fromkeys(topics))
    if len(topics) > TOPICS:
        raise ValueError(
            f"a page listens to {TOPICS} topics at most, not to {len(topics)}: "
            "publish what belongs together on one of them"
        )
    loaded = settings.load()
    cursors: dict[str, str | None] = dict.fromkeys(topics)
    stale = False
    if not loaded.off:
        try:
            cursors.update(zip(topics, positions(topics, seconds=ANSWER_SECONDS)))
        except (StoreUnavailable, ResponseError) as error:
            log.warning("a page goes out without its cursors: %s", error)
            stale = True
    ticket = sign(subject, topics, me).token if (topics or subject_of(subject)) and not loaded.off else ""
    found = {"topics": cursors, "ticket": ticket, "stale": stale, "refresh_rate": loaded.refresh_rate}
    # Nothing is loaded for a type that is no script's.
    kind = 'type="application/json"' if loaded.off else f'type="module" src="{SCRIPT}"'
    data = escape(json.dumps(found, separators=(",", ":")))
    listening = Listening(f"<script {kind} data-realtime='{data}'></script>")
    listening.json = found
    return listening
