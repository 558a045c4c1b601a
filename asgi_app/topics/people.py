"""Who is on a topic, as far as they say, and what one process tells the others of its listeners."""

from __future__ import annotations

import re
from collections.abc import Collection
from itertools import islice
from typing import NamedTuple

from asgi_app import limits

_FORM = re.compile(rb'\{"id":"(\w+)","me":\{.*\}\}')


class Person(NamedTuple):
    """A connection that says who it is. Only its text is kept: many are, and nobody here looks into it."""

    id: str
    json: bytes  # {"id":…,"me":…}

    @classmethod
    def of(cls, id_: str, me: bytes) -> Person:
        """From a JSON object that says who it is."""
        return cls(id_, b'{"id":"%b","me":%b}' % (id_.encode(), me))

    @classmethod
    def parse(cls, json: bytes) -> Person:
        """Reads the text.

        Raises:
            ValueError: it is another.
        """
        if (found := _FORM.fullmatch(json)) is None:
            raise ValueError("not a person")
        return cls(found[1].decode(), json)


class Share(NamedTuple):
    """What one process has of a topic."""

    listeners: int
    people: int = 0  # listeners that say who they are
    first: tuple[Person, ...] = ()  # those of them who came first

    @classmethod
    def of(cls, listeners: int, people: Collection[Person]) -> Share:
        """That of this process."""
        return cls(listeners, len(people), tuple(islice(people, limits.PEOPLE)))

    @classmethod
    def parse(cls, text: bytes) -> Share:
        """Reads what `bytes` makes.

        Raises:
            ValueError: it is something else.
        """
        listeners, *rest = text.split(b"\t")
        if not rest:
            return cls(int(listeners))
        people, *first = rest
        return cls(int(listeners), int(people), tuple(map(Person.parse, first)))

    def __bytes__(self) -> bytes:
        """One line. JSON holds no tabs."""
        people = [b"%d" % self.people, *[one.json for one in self.first]] if self.people else []
        return b"\t".join([b"%d" % self.listeners, *people])


NOBODY = Share(0)
