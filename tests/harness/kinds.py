"""Which tests run one after the other, on the same stack."""

from __future__ import annotations

import re

# The engine's containers are few and heavy: one deployment for all tests that need one.
IN_CONTAINERS = re.compile(r"tests/compose/|[\[-]compose[-\]]")


def kind_of(nodeid: str) -> str:
    """The kind of a test; one that needs no stack is of its own kind."""
    if IN_CONTAINERS.search(nodeid):
        return "compose"
    room, _, file = nodeid.partition("tests/")[2].partition("/")
    if room == "unit":
        return nodeid
    if room == "hostile":  # an attack beside another one would be judged by both
        return room
    return "_".join([room, *file.partition("::")[0].removesuffix(".py").split("_")[1:2]])
