"""Realtime for the app you already have: `publish` where it writes, `listen` where it shows."""

from corkboard import outbox
from corkboard.listen import Listening, listen
from corkboard.publish import Event, position, publish, publish_many, request_id
from corkboard.settings import NotConfigured
from corkboard.store import StoreFull, StoreUnavailable, Unconfirmed
from corkboard.tickets import revoke

__all__ = [
    "Event",
    "Listening",
    "NotConfigured",
    "StoreFull",
    "StoreUnavailable",
    "Unconfirmed",
    "listen",
    "outbox",
    "position",
    "publish",
    "publish_many",
    "request_id",
    "revoke",
]
