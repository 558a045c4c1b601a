"""A cache of answered lists, per process: a list whose cursor has not changed is answered from here."""

from __future__ import annotations

import threading

from cachetools import LRUCache

from wsgi_app.notes.models import ListQuery

# For one process.
BYTES = 16 * 1024 * 1024
# What a list takes at most besides its body: the longest query, and the objects around it.
ENTRY_BYTES = 4 * 1024

# By query: the cursor that the list reflects, and the body.
_lists: LRUCache[ListQuery, tuple[str, bytes]] = LRUCache(
    BYTES, getsizeof=lambda kept: ENTRY_BYTES + len(kept[1])
)
_lock = threading.Lock()


def remember(query: ListQuery, cursor: str, body: bytes) -> None:
    """Keeps a list; the least recently used ones make room for it."""
    with _lock:
        _lists[query] = cursor, body


def find(query: ListQuery) -> tuple[str, bytes]:
    """The cursor and the body of the list as it was last answered; both empty if it is not kept."""
    with _lock:
        return _lists.get(query, ("", b""))
