"""A position in a topic."""

from __future__ import annotations

import re
from typing import NamedTuple

_FORM = re.compile(r"([0-9a-z]{1,32})-(0|[1-9][0-9]{0,15})")


class Cursor(NamedTuple):
    """The position after the `offset`-th event of an `epoch`.

    Offsets of a topic rise by exactly one. A new epoch begins when the topic's data was lost.
    """

    epoch: str
    offset: int

    @classmethod
    def parse(cls, text: str) -> Cursor:
        """Reads `EPOCH-OFFSET`.

        Raises:
            ValueError: the text is not of that form.
        """
        match = _FORM.fullmatch(text)
        if not match:
            raise ValueError("expected a cursor EPOCH-OFFSET, as in the id of an event")
        return cls(match[1], int(match[2]))

    def __str__(self) -> str:
        return f"{self.epoch}-{self.offset}"


# The position of a topic without events.
BEGINNING = Cursor("0", 0)
