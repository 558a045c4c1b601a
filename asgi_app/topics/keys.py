"""The names of everything in Redis that the sidecar reads or writes. The keys of a topic share a hash tag."""

from __future__ import annotations

TOPIC_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9:._-]{0,127}$"
# The channel that says that a ticket was revoked; which one, stands in the sorted set.
CONTROL = "control"
REVOKED = "revoked:{control}"


def position(topic: str) -> str:
    """The hash with the topic's epoch and offset."""
    return f"topic:{{{topic}}}"


def stream(topic: str) -> str:
    """The stream with the topic's events; the entry of offset N has the id N-0."""
    return f"stream:{{{topic}}}"


def channel(topic: str) -> str:
    """The Pub/Sub channel of the topic, with messages of the form `EPOCH-OFFSET JSON`."""
    return f"event:{{{topic}}}"


def topic_of(channel: bytes) -> str:
    """The topic of a channel."""
    return channel[len("event:{") : -1].decode()


def whispers(topic: str) -> str:
    """The Pub/Sub channel of what clients whisper on the topic, with messages of the form `ID JSON`."""
    return f"whisper:{{{topic}}}"


def presence(topic: str) -> str:
    """The hash in which version 2.0 keeps each process' number of listeners; its fields expire."""
    return f"presence:{{{topic}}}"


# What the sidecars keep for each other has one hash tag: a transaction may use all of it in a cluster, too.
# The hash with the processes that count their listeners: process -> "PROCESS VERSION"; its fields expire.
PROCESSES = "presence:{all}:processes"


def counts(process: str) -> str:
    """The hash with what a process has of each topic (`Share`), and its last changes; it expires."""
    return f"presence:{{all}}:of:{process}"


# The hash with the processes that are about to end, in the order in which they came; its fields expire.
LEAVING = "presence:{all}:leaving"
