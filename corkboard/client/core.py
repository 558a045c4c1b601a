"""What a client believes, says and puts up with: written once for both clients. No I/O.

It is the policy of the browser's client: asgi_app/client/topics.js and retry.js. A connection may die at any
time. What was last seen of each topic is kept here, and the next connection goes on from there.
"""

from __future__ import annotations

import json
import logging
import random
import re
from collections import deque
from collections.abc import Iterable, Mapping
from typing import Any, Optional, Union

from corkboard.client.ending import OVERLOADED, TICKET_EXPIRED, Ending
from corkboard.client.messages import Event, Item, Lost, Refused
from corkboard.client.timing import GOOD_AFTER_SECONDS, LONG_WAIT_SECONDS, Timing
from corkboard.listen import TOPICS
from corkboard.publish import check_topic

log = logging.getLogger("corkboard.client")

CURSOR = re.compile(r"([0-9a-z]{1,32})-(0|[1-9][0-9]{0,15})")
# The epoch of a topic that has seen no event: the first event names its own.
BEGINNING = "0"

Topics = Union[Mapping[str, Optional[str]], Iterable[str]]


class Core:
    """One client's topics, over any number of connections.

    Attributes:
        cursors: the position in each topic, None before the first word about it.
        outgoing: messages to be sent on the connection that is open.
        wants_ticket: `renewed` must be called before the next connection is opened.
        begun: the server has confirmed each topic.
    """

    def __init__(self, topics: Topics, timing: Timing, *, renewable: bool) -> None:
        self.cursors = _checked(topics)
        self.timing = timing
        self.outgoing: deque[str] = deque()
        self.wants_ticket = renewable
        self.begun = False
        self._renewable = renewable
        self._ticket: str | None = None
        self._ticket_is_new = False
        self._failures = 0
        self._live_since: float | None = None
        # Topics that were asked for on this connection, until they are confirmed.
        self._asked: set[str] = set()

    def renewed(self, ticket: str | None) -> None:
        """There is a new ticket, for this connection and the next ones."""
        self._ticket, self._ticket_is_new, self.wants_ticket = ticket, True, False

    def headers(self) -> dict[str, str]:
        """What shows the ticket in a handshake."""
        return {"Authorization": f"Bearer {self._ticket}"} if self._ticket else {}

    def opened(self) -> None:
        """A connection is open: asks for everything after what was seen."""
        self.outgoing.clear()
        self._asked.clear()
        for topic in self.cursors:
            self._ask(topic)

    def take(self, text: str | bytes, now: float) -> Item | None:
        """What a message of the server means for the user; None when nothing.

        Raises:
            Ending: the connection is of no use any more.
            Refused: the server does not serve a topic.
        """
        message = json.loads(text)
        op = message.get("op")
        if op == "error":
            detail = f"{message['code']}: {message['detail']}"
            if message["code"] == "not_allowed":
                # The ticket is shown when a connection is opened: a new one needs a new connection.
                raise Ending(detail, code=TICKET_EXPIRED)
            if message["code"] == "too_many_topics":
                # No connection asks for more than it may have: others at this address leave too few.
                raise Ending(detail, code=OVERLOADED)
            raise Refused(detail)
        if op == "behind":
            log.warning("the server cannot get events since %s", message["since"])
        if message.get("topic") not in self.cursors:
            return None
        if op == "event":
            return self._take_event(message)
        return self._take_subscribed(message, now) if op == "subscribed" else None

    def lost(self, ending: Ending, now: float) -> float:
        """The connection is gone. Returns after how many seconds to come back.

        Raises:
            Refused: it would not help.
        """
        was_live, self._live_since = self._live_since, None
        if was_live is not None and now - was_live > GOOD_AFTER_SECONDS:
            self._failures = 0
        # A ticket that was refused as soon as it was shown would be refused again.
        if ending.final or (ending.wants_ticket and (self._ticket_is_new or not self._renewable)):
            raise Refused(str(ending)) from ending
        # By the next connection it may have expired, although nobody has ever looked at it.
        self._ticket_is_new = False
        self.wants_ticket |= ending.wants_ticket
        wait = self._wait(ending)
        log.log(logging.WARNING if was_live is None else logging.INFO, "%s; back in %.1f s", ending, wait)
        return wait

    def _wait(self, ending: Ending) -> float:
        if ending.our_fault:
            return LONG_WAIT_SECONDS * random.uniform(1, 2)
        if ending.overloaded:
            self._failures = max(self._failures, 2)
        failures, self._failures = self._failures, self._failures + 1
        if ending.retry_after is not None:
            return ending.retry_after * random.uniform(1, 1.5)
        return self.timing.backoff(failures)

    def _ask(self, topic: str) -> None:
        since = self.cursors[topic]
        ask = {"op": "subscribe", "topic": topic, **({"since": since} if since else {})}
        self.outgoing.append(json.dumps(ask))
        self._asked.add(topic)

    def _take_subscribed(self, message: dict[str, Any], now: float) -> Lost | None:
        topic, cursor, recovered = message["topic"], message["cursor"], message["recovered"]
        self._asked.discard(topic)
        if self._live_since is None:
            self._live_since = now
        if not self._asked:
            self.begun, self._ticket_is_new = True, False
        # After a recovery the missed events still follow, so the own position stands.
        if not recovered or self.cursors[topic] is None:
            self.cursors[topic] = cursor
        return None if recovered else Lost(topic, cursor)

    def _take_event(self, message: dict[str, Any]) -> Event | None:
        topic, id_ = message["topic"], message["id"]
        last = self.cursors[topic]
        if last is not None:
            (epoch, offset), (its_epoch, its_offset) = _position(last), _position(id_)
            goes_on = epoch in (its_epoch, BEGINNING)
            if goes_on and its_offset <= offset:
                return None
            if not goes_on or its_offset > offset + 1:
                # A healthy server never skips. Should it happen, what is missing is asked for.
                if topic not in self._asked:
                    self._ask(topic)
                return None
        self.cursors[topic] = id_
        return Event(topic, id_, message["type"], message["time"], message["request_id"], message["data"])


def _position(cursor: str) -> tuple[str, int]:
    epoch, _, offset = cursor.rpartition("-")
    return epoch, int(offset)


def _checked(topics: Topics) -> dict[str, str | None]:
    if isinstance(topics, str):
        raise TypeError(f"topics is the text {topics!r}: expected a list of topics, or a dict with cursors")
    found: dict[str, str | None] = dict(topics) if isinstance(topics, Mapping) else dict.fromkeys(topics)
    if not 1 <= len(found) <= TOPICS:
        raise ValueError(f"a client listens to 1 to {TOPICS} topics, not to {len(found)}")
    for topic, cursor in found.items():
        check_topic(topic)
        if cursor is not None and not CURSOR.fullmatch(cursor):
            raise ValueError(f"{cursor!r} is not a cursor: expected EPOCH-OFFSET, as in the id of an event")
    return found
