"""Who is on a topic, over all processes: told as a whole to those who come, and as changes to the others."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain, islice

from asgi_app import limits
from asgi_app.topics.budget import Rate
from asgi_app.topics.event import Notice
from asgi_app.topics.people import Person, Share
from asgi_app.topics.topic import Topic


class _Roll:
    """What the listeners of a topic were told."""

    def __init__(self) -> None:
        self.count = 0
        self.people: dict[str, Person] = {}
        self.written = Rate(limits.PEOPLE_BYTES_PER_SECOND)  # to each listener


class Rolls:
    """The people of each topic that the listeners here were told of. Most topics have none."""

    def __init__(self) -> None:
        self._rolls: dict[str, _Roll] = {}
        self._written = Rate(limits.ALL_PEOPLE_BYTES_PER_SECOND)

    def forget(self, topic: str) -> None:
        """The topic has no listeners here any more."""
        self._rolls.pop(topic, None)

    def tell(self, topic: Topic, shares: Sequence[Share]) -> bool:
        """Tells the listeners here that this is there now. False: not all of it, as too much was written."""
        count = sum([share.people for share in shares])
        if topic.name not in self._rolls and not count:
            topic.strangers.clear()
            return True
        roll = self._rolls.setdefault(topic.name, _Roll())
        if self._written.take(0):
            return False
        is_told = not roll.written.take(0)
        if is_told:
            everybody = chain.from_iterable([share.first for share in shares])
            people = {person.id: person for person in islice(everybody, limits.PEOPLE)}
            self._tell_changes(topic, roll, count, people)
        if not roll.count:
            topic.strangers.clear()
        elif topic.strangers:
            whole = _text(topic.name, roll.count, people=[one.json for one in roll.people.values()])
            self._written.take(len(whole) * len(topic.strangers))
            topic.acquaint(Notice("people", whole))
        return is_told

    def _tell_changes(self, topic: Topic, roll: _Roll, count: int, people: dict[str, Person]) -> None:
        joined = [one.json for id_, one in people.items() if roll.people.get(id_) != one]
        left = [f'"{id_}"'.encode() for id_ in roll.people.keys() - people.keys()]
        if joined or left or count != roll.count:
            changes = _text(topic.name, count, joined=joined, left=left)
            roll.written.take(len(changes))
            self._written.take(len(changes) * len(topic.listeners))
            topic.tell(Notice("people", changes))
        roll.count, roll.people = count, people


def _text(topic: str, count: int, **lists: list[bytes]) -> bytes:
    # As `transports.messages.People` describes it.
    said = b"".join([b',"%b":[%b]' % (name.encode(), b",".join(items)) for name, items in lists.items()])
    return b'{"op":"people","topic":"%b","count":%d%b}' % (topic.encode(), count, said)
