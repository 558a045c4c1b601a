"""Lists as they were last answered, for the next one who asks for the same."""

from __future__ import annotations

import threading

from cachetools import LRUCache

from wsgi_app.notes.models import ListQuery

# Of one process.
BYTES = 16 * 1024 * 1024
# At most what a list takes besides its body: the longest query, and the objects around it.
ENTRY_BYTES = 4 * 1024

# By query; the cursor says what a list reflects.
_lists: LRUCache[ListQuery, tuple[str, bytes]] = LRUCache(
    BYTES, getsizeof=lambda kept: ENTRY_BYTES + len(kept[1])
)
_lock = threading.Lock()


def remember(query: ListQuery, cursor: str, body: bytes) -> None:
    """Keeps a list, and forgets those that nobody asked for in the longest time."""
    with _lock:
        _lists[query] = cursor, body


def find(query: ListQuery) -> tuple[str, bytes]:
    """The cursor and the body of the list when it was last answered, or empty ones."""
    with _lock:
        return _lists.get(query, ("", b""))
