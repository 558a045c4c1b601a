"""Who is on a topic, over all processes: told as a whole to those who come, and as changes to the others."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain, islice

from asgi_app import limits
from asgi_app.topics.event import Notice
from asgi_app.topics.people import Person, Share
from asgi_app.transports.messages import People


class Rolls:
    """The people of each topic that the listeners here were told of. Most topics have none."""

    def __init__(self) -> None:
        self._told: dict[str, tuple[int, dict[str, Person]]] = {}

    def forget(self, topic: str) -> None:
        """The topic has no listeners here any more."""
        self._told.pop(topic, None)

    def update(self, topic: str, shares: Sequence[Share]) -> tuple[list[Notice], list[Notice]]:
        """What to tell those who have come, and what to tell everybody after that, now that this is there."""
        count = sum([share.people for share in shares])
        before, known = self._told.get(topic, (0, {}))
        if not (count or before):
            return [], []
        everybody = chain.from_iterable([share.first for share in shares])
        people = {person.id: person for person in islice(everybody, limits.PEOPLE)}
        self._told[topic] = count, people
        joined = [person for id_, person in people.items() if known.get(id_) != person]
        left = list(known.keys() - people.keys())
        whole = People(topic=topic, count=count, people=list(people.values()))
        if not (joined or left or count != before):
            return [_notice(whole)], []
        return [_notice(whole)], [_notice(People(topic=topic, count=count, joined=joined, left=left))]


def _notice(message: People) -> Notice:
    return Notice("people", message.model_dump_json(exclude_none=True).encode())
