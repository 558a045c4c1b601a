"""Titles of boards. A change and its event are one step, as with notes."""

from __future__ import annotations

import logging

from corkboard import StoreUnavailable
from corkboard.publish import facts
from corkboard.store import default
from wsgi_app.notes.store import BOARDS, board_as_json, call, checked, topic_of

log = logging.getLogger(__name__)

# How long a page waits for its title. A page without it is better than a late one.
PAGE_SECONDS = 1.0


def get(slug: str) -> bytes:
    """The board as JSON.

    Raises:
        StoreUnavailable: Redis does not answer.
    """
    return board_as_json(slug, *_title(slug))


def title_for_page(slug: str) -> str:
    """The title; empty when there is none, and when Redis does not answer within PAGE_SECONDS."""
    try:
        title, _ = _title(slug, PAGE_SECONDS)
    except StoreUnavailable as error:
        log.warning("a page goes out without its title: %s", error)
        return ""
    return (title or b"").decode()


def rename(slug: str, title: str, *, max_boards: int, versions: list[int] | None = None) -> bytes:
    """Sets the board's title and sends the event; an empty title removes it. Returns the board as JSON.

    A board that has this title already is returned as it is, and nothing is written.

    Args:
        slug: the board's name in addresses.
        title: at most 80 characters.
        max_boards: how many boards there may be. One with a title and no note counts, and gives way.
        versions: those of the board that the caller accepts, None for any.

    Raises:
        VersionConflict: the board is at none of these versions.
        BoardFull: there are `max_boards` boards, none of them empty.
        StoreUnavailable: whether the title was set is unknown.
    """
    arguments = {**facts(), "type": "board.updated", "slug": slug, "title": title, "max_boards": max_boards}
    accepted = {} if versions is None else {"versions": versions}
    return checked(call("board_update", topic_of(slug), {**arguments, **accepted}, [BOARDS]))


def _title(slug: str, seconds: float | None = None) -> tuple[bytes | None, bytes | None]:
    within = {} if seconds is None else {"seconds": seconds}
    (answer,) = default().ask(("HMGET", f"topic:{{{topic_of(slug)}}}", "title", "title_version"), **within)
    title, version = answer
    return title, version
