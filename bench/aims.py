"""What was aimed at, beside the experiments that judge it. The report says what came out, lost or not."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from bench.results import Numbers, middle, show

Subjects = dict[str, list[Numbers]]


@dataclass(frozen=True)
class Aim:
    """A number of a subject, or its ratio to the same one of `than`, and how small or large it should be."""

    subject: str
    key: str
    than: str = ""
    least: float | None = None
    most: float | None = None
    name: str = ""  # what the report calls the number, unless its key says it

    def said(self, subjects: Subjects) -> str | None:
        """One line; None when there are no numbers for it yet."""
        value = self._value(subjects)
        if value is None:
            return None
        bound, side = (self.least, "at least") if self.least is not None else (self.most, "at most")
        times = f" times that of {self.than}" if self.than else ""
        key = self.key.removesuffix("_ms").replace("_", " ") + (" in ms" if self.key.endswith("_ms") else "")
        name = self.name or key
        verdict = "reached" if self.is_reached(subjects) else "**not reached**"
        return (
            f"Aim, {self.subject}: {name} {side} {show(bound or 0)}{times}. It is {show(value)}: {verdict}."
        )

    def is_reached(self, subjects: Subjects) -> bool | None:
        """Whether the medians say so; None when there are no numbers for it yet."""
        value = self._value(subjects)
        if value is None:
            return None
        return (self.least is None or value >= self.least) and (self.most is None or value <= self.most)

    def _value(self, subjects: Subjects) -> float | None:
        names = [self.subject, self.than] if self.than else [self.subject]
        if not all(any(self.key in run for run in subjects.get(name, ())) for name in names):
            return None
        found = [middle([run for run in subjects[name] if self.key in run], self.key) for name in names]
        if not self.than:
            return found[0]
        return found[0] / found[1] if found[1] else None


OURS, LOOP, NCHAN, SOCKETIO = "Corkboard", "FastAPI loop", "Nchan", "Flask-SocketIO"
MEMORY, POSTGRES = "FastAPI in memory", "Flask and PostgreSQL"
PORTS = "by TCP ports"
RATE, REQUESTS = "deliveries_per_cpu_second", "requests_per_second"
FLOOR = "times_the_floor"

AIMS: dict[str, list[Aim]] = {
    "fan-out, 4 in flight": [
        Aim(OURS, RATE, LOOP, least=4),
        Aim(OURS, RATE, SOCKETIO, least=4),
        Aim(OURS, RATE, NCHAN, least=2),
    ],
    "fan-out, 64 in flight": [Aim(OURS, RATE, LOOP, least=30)],
    "through nginx, 4 in flight": [Aim(OURS, RATE, LOOP, least=2), Aim(OURS, RATE, PORTS, least=1.45)],
    "through nginx, 64 in flight": [Aim(OURS, RATE, LOOP, least=2), Aim(OURS, RATE, PORTS, least=1.3)],
    "delay, 100 events per second": [Aim(OURS, "p99_ms", LOOP, most=1)],
    "memory": [Aim(OURS, "bytes_per_connection", most=20_000)],
    "idle": [  # 5 % of a core and 500 commands for 6,000
        Aim(OURS, "topics_cpu", most=0.83, name="% of a core, per 1,000 connections with a topic each,"),
        Aim(OURS, "topics_commands", most=83, name="Redis commands per second, per 1,000 of these,"),
    ],
    "handshakes": [Aim(OURS, "per_second", LOOP, least=1.5), Aim(OURS, "per_second", least=6000)],
    "reconnect storm": [Aim(OURS, "seconds", most=5), Aim(OURS, "redis_commands", most=50)],
    "audience": [Aim("8,000 subscribers", RATE, "100 subscribers", least=0.75)],
    "HTTP POST": [Aim(OURS, REQUESTS, MEMORY, least=1), Aim(OURS, "p99_ms", MEMORY, most=1)],
    "HTTP GET": [Aim(OURS, REQUESTS, MEMORY, least=4), Aim(OURS, "p99_ms", MEMORY, most=1)],
    "HTTP 304": [Aim(OURS, REQUESTS, MEMORY, least=6), Aim(OURS, "p99_ms", MEMORY, most=1)],
    "HTTP POST that is on the disk": [Aim(OURS, REQUESTS, POSTGRES, least=1.5)],
    "HTTP beside the floor": [
        Aim("POST", FLOOR, most=1.6),
        Aim("list of 50", FLOOR, most=1.3),
        Aim("304", FLOOR, most=1.2),
        *(Aim(what, "p99_ms", most=25) for what in ("POST", "list of 50", "304")),
    ],
    "HTTP GET of the shared list": [Aim(OURS, REQUESTS, MEMORY, least=4)],
    "a thousand open a board": [Aim(OURS, "lists_per_second", MEMORY, least=4)],
}


def lines(experiment: str, subjects: Subjects) -> list[str]:
    """What is said below the table of an experiment."""
    return [said for aim in AIMS.get(experiment, ()) if (said := aim.said(subjects))]


def all_reached(found: dict[str, Subjects]) -> Iterator[tuple[str, Aim, bool]]:
    """Every aim that there are numbers for: its experiment, and whether it is reached."""
    for experiment, aims in AIMS.items():
        for aim in aims:
            reached = aim.is_reached(found.get(experiment, {}))
            if reached is not None:
                yield experiment, aim, reached
