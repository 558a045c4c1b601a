"""The first screen of the page about performance: what a core carries."""

from __future__ import annotations

from bench import aims
from bench.results import Numbers, middle, show

Found = dict[str, dict[str, list[Numbers]]]
GIB = 2**30
CONNECTION, CPU = "bytes_per_connection", "cpu_seconds_per_1000"

# What a user asks, and the experiment and its number that answer it.
QUESTIONS = [
    ("deliveries of events to 1,000 clients, per second", "fan-out, 4 in flight", aims.RATE),
    ("the same when many events come at once", "fan-out, 64 in flight", aims.RATE),
    ("the same through nginx, whose time is counted", "through nginx, 4 in flight", aims.RATE),
    ("clients that connect, per second", "handshakes", "per_cpu_second"),
]
# These say how much time a thousand take.
REQUESTS = [
    ("writes of the demo, each on the disk, per second", "HTTP POST that is on the disk"),
    ("lists of 50 notes, exact, per second", "HTTP GET"),
    ("lists that nginx shares for a second, per second", "HTTP GET of the shared list"),
]


def text(found: Found) -> str:
    """A table, and how many aims are reached."""
    rows = [
        (what, show(middle(runs, key)))
        for what, experiment, key in QUESTIONS
        if (runs := _runs(found, experiment, key))
    ]
    rows += [
        (what, show(1000 / middle(runs, CPU)))
        for what, experiment in REQUESTS
        if (runs := _runs(found, experiment, CPU))
    ]
    if runs := _runs(found, "memory", CONNECTION):
        rows.append(
            ("idle clients that a GiB of the sidecar's memory holds", show(GIB / middle(runs, CONNECTION)))
        )
    table = [
        "| one core carries | |",
        "| --- | ---: |",
        *(f"| {what} | **{number}** |" for what, number in rows),
    ]
    judged = list(aims.all_reached(found))
    lost = [
        f"{experiment} ({aim.subject}, {aim.key.replace('_', ' ')})"
        for experiment, aim, ok in judged
        if not ok
    ]
    verdict = f"{len(judged) - len(lost)} of {len(judged)} aims are reached"
    return "\n".join([*table, "", verdict + (f"; not reached: {', '.join(lost)}." if lost else ".")])


def _runs(found: Found, experiment: str, key: str) -> list[Numbers]:
    return [run for run in found.get(experiment, {}).get(aims.OURS, []) if key in run]
