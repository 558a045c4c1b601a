"""Takes rows from the outbox, sends them as events, deletes them.

Any number of senders do this at the same time, without a lock, and each may be killed or frozen anywhere:

* A sender reads what is committed, in the order of the ids, and Redis takes a batch in one step. So when an
  event is sent, those that were committed before its `put` go before it, or are gone: they had been sent.
* What is sent again, because two senders read the same rows or one was killed before it deleted them, has the
  same key: Redis ignores it in the step that would number it.
* Redis remembers a key until the row is deleted, and then for longer than a sender may hold a copy of it: one
  that read its rows over `FRESH_SECONDS` ago is refused, and reads again.
"""

from __future__ import annotations

import json
import logging
import time
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from corkboard import settings
from corkboard.outbox import sql
from corkboard.publish import Event, TooLate, checked, now
from corkboard.publish import send as send_events
from corkboard.store import ANSWER_SECONDS, StoreUnavailable

log = logging.getLogger(__name__)

FRESH_SECONDS = 300
# Longer than FRESH_SECONDS also when somebody sets the clock of Redis by some minutes.
DELETED_SECONDS = 600
# Only needed for rows of a sender that was killed, until the next one comes.
UNDELETED_SECONDS = 7 * 24 * 60 * 60
# After a failure an app's processes leave their events to the relay for this long.
AWAY_SECONDS = 5.0

# Told to Redis in one call; a batch adds fewer.
MOST_GONE = 1000

_away_until = 0.0
# Events whose rows are deleted. Redis is told with the next batch: a call of its own would cost as much.
_gone: deque[Event] = deque(maxlen=10_000)


def send_batch(connection: Any, table: str = sql.TABLE, *, seconds: float = ANSWER_SECONDS) -> bool:
    """Sends the oldest rows; returns whether there may be more. Waits for Redis for `seconds` at most.

    Args:
        connection: of a DB-API driver, and not in a transaction.

    Raises:
        StoreUnavailable, NotConfigured, TooLate: as `corkboard.publish.send`; the rows stay.
        Exception: what the driver raises. The rows stay; when they were sent, the next sender deletes them.
    """
    until = time.monotonic() + seconds
    statements = sql.statements(connection, table)
    read_at = None if settings.load().off else now(seconds=seconds)
    with sql.committing(connection):
        rows = _committed(connection, statements.select())
        events = [event for row in rows if (event := _event(row))]
        if not rows:
            return False
        _send(events, read_at, until - time.monotonic())
        keys = [row[1] for row in rows]
        deleted = _committed(connection, statements.delete(len(keys)), (rows[0][0], rows[-1][0], *keys))
    if statements.dialect == "postgresql":
        mine = {row[0] for row in deleted}
        events = [event for event in events if event.key in mine]
    _gone.extend(events)
    log.debug("sent %d events", len(events))
    return len(rows) == sql.BATCH


def send_now(connection: Any, table: str) -> bool:
    """Sends the oldest rows in a request, which must neither fail nor wait; returns whether none is left."""
    global _away_until
    if time.monotonic() < _away_until:
        return False
    try:
        if sql.in_transaction(connection):
            log.warning(
                "events wait in the outbox: a transaction is open; call send() right after the commit"
            )
            return False
        return not send_batch(connection, table)
    except StoreUnavailable as error:
        _away_until = time.monotonic() + AWAY_SECONDS
        log.warning("events wait in the outbox: %s", error)
    except TooLate as error:
        log.info("events wait in the outbox: %s", error)
    except Exception:
        log.exception("events wait in the outbox")
    return False


def _send(events: Sequence[Event], read_at: float | None, seconds: float) -> None:
    gone: list[Event] = []
    with suppress(IndexError):
        while events and len(gone) < MOST_GONE:
            gone.append(_gone.popleft())
    remembered = {"keep": UNDELETED_SECONDS, "gone_keep": DELETED_SECONDS}
    try:
        send_events(events, read_at=read_at, fresh=FRESH_SECONDS, gone=gone, seconds=seconds, **remembered)
    except BaseException:
        _gone.extend(gone)
        raise


def _committed(connection: Any, statement: str, values: Sequence[Any] = ()) -> list[Sequence[Any]]:
    try:
        rows = sql.run(connection, statement, values)
        connection.commit()
    except BaseException:
        with suppress(Exception):
            connection.rollback()
        raise
    return rows


def _event(row: Sequence[Any]) -> Event | None:
    # put() refuses what is invalid. What something else has added must not hold up everything behind it.
    try:
        event = Event(row[2], row[3], json.loads(row[4]), row[1])
        checked(event)
    except ValueError as error:
        log.error("a row of the outbox is invalid and is deleted: %s: %r", error, tuple(row))
        return None
    return event
