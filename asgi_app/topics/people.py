"""Who is on a topic, as far as they say, and what one process tells the others of its listeners."""

from __future__ import annotations

from collections.abc import Collection
from itertools import islice
from typing import NamedTuple

from pydantic import BaseModel, ConfigDict

from asgi_app import limits


class Person(BaseModel):
    """A connection that says who it is."""

    model_config = ConfigDict(frozen=True)

    id: str
    me: dict[str, object]


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
    def parse(cls, text: str) -> Share:
        """Reads what `str` makes."""
        listeners, *rest = text.split("\t")
        if not rest:
            return cls(int(listeners))
        people, *first = rest
        return cls(int(listeners), int(people), tuple(map(Person.model_validate_json, first)))

    def __str__(self) -> str:
        """One line. JSON holds no tabs."""
        people = [str(self.people), *[one.model_dump_json() for one in self.first]] if self.people else []
        return "\t".join([str(self.listeners), *people])


NOBODY = Share(0)
