"""The topics whose positions are known, in groups that are looked at together.

A group's question is put together once. Until one of its topics moves, asking again is two commands.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from asgi_app import limits
from asgi_app.topics import store
from asgi_app.topics.topic import Topic


class Group:
    """Some topics, by name."""

    __slots__ = ("question", "topics")

    def __init__(self) -> None:
        self.topics: dict[str, Topic] = {}
        self.question: Any = None  # to be put together anew


class Looks:
    """All groups."""

    def __init__(self, questions: store.Questions) -> None:
        self._questions = questions
        self._of: dict[str, Group] = {}  # topic -> its group
        self._groups: dict[Group, None] = {}  # in order
        self._free: dict[Group, None] = {}  # those with room for more
        self._turn = 0

    def __len__(self) -> int:
        return len(self._of)

    def __contains__(self, name: str) -> bool:
        return name in self._of

    def add(self, topic: Topic) -> None:
        """Has a topic with a position looked at; it may be there already, and have moved."""
        if (group := self._of.get(topic.name)) is None:
            group = next(iter(self._free), None) or Group()
            group.topics[topic.name] = topic
            self._of[topic.name] = group
            self._groups[group] = self._free[group] = None
            if len(group.topics) >= limits.LOOK_TOPICS:
                del self._free[group]
        group.question = None

    def moved(self, name: str) -> None:
        """Says that a topic is elsewhere, if it is here."""
        if (group := self._of.get(name)) is not None:
            group.question = None

    def remove(self, name: str) -> None:
        """Ends `add`; does nothing without."""
        if (group := self._of.pop(name, None)) is None:
            return
        del group.topics[name]
        group.question = None
        self._free[group] = None
        if not group.topics:
            del self._groups[group], self._free[group]

    def clear(self) -> None:
        """Removes all."""
        self._of.clear()
        self._groups.clear()
        self._free.clear()

    def next(self) -> tuple[list[str], Sequence[Any]]:
        """Topics that must be compared, since it is their turn, and the questions about the others."""
        self._turn = (self._turn + 1) % limits.COMPARE_TICKS
        names: list[str] = []
        questions = []
        for number, group in enumerate(self._groups):
            if number % limits.COMPARE_TICKS == self._turn:
                names += group.topics
                continue
            if group.question is None:
                at = [(name, topic.position) for name, topic in group.topics.items() if topic.position]
                group.question = self._questions.question(at)
            questions.append(group.question)
        return names, questions
