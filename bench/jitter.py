"""Clients on bad lines: each is cut off every 15 seconds, for two. What share of the events do they get?"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace

from bench.bad_line import BadLines, Client
from bench.servers import Target
from bench.subscriber import Refused

CUTS = 2
AWAY_SHARE = 2 / 17  # 15 seconds there, two away
# Who comes back in the last moment gets this long to catch up.
PATIENCE = 3.0
SETTLE_SECONDS = 0.5
# So much is published before the first is cut: a client that has seen no event has no id to come back with.
LEAD_SECONDS = 0.5


def jitter(target: Target, clients: int, rate: float, seconds: float) -> dict[str, float]:
    """Percent of the published events that the clients received, while each was cut off twice.

    Each is cut at moments of its own, evenly spread. The last one is back shortly before the end.
    """
    lines = BadLines(target.returning or target.entrance)
    publisher = replace(target.publishing, in_order=True).start(lines)
    cycle = seconds / CUTS
    everybody = [lines.add() for _ in range(clients)]
    lines.run_until(time.perf_counter() + 60, lambda: all(client.is_ready for client in everybody))
    if not all(client.is_ready for client in everybody):
        raise Refused(f"not all of {clients} clients were let in within a minute")
    lines.run_until(time.perf_counter() + SETTLE_SECONDS)
    begun, published = time.perf_counter(), 0
    for number, client in enumerate(everybody):
        first = begun + LEAD_SECONDS + cycle * (1 - AWAY_SHARE) * number / clients
        client.absences = [(first + cut * cycle, cycle * AWAY_SHARE) for cut in range(CUTS)]
    while published < rate * (seconds + LEAD_SECONDS):
        lines.run_until(begun + published / rate)
        publisher.send(1)
        published += 1
    lines.run_until(
        time.perf_counter() + PATIENCE,
        lambda: all(len(set(client.marks)) >= published for client in everybody),
    )
    lines.close()
    return _verdict(everybody, published)


def _verdict(everybody: Sequence[Client], published: int) -> dict[str, float]:
    different = [len(set(client.marks)) for client in everybody]
    return {
        "delivered_percent": 100 * sum(different) / (published * len(everybody)),
        "worst_client_percent": 100 * min(different) / published,
        "lost": published * len(everybody) - sum(different),
        "duplicates": sum(len(client.marks) for client in everybody) - sum(different),
        "out_of_order": sum(
            later < earlier
            for client in everybody
            for earlier, later in zip(client.marks, client.marks[1:], strict=False)
        ),
        "cuts": sum(client.cuts for client in everybody),
        "thrown_out": sum(client.thrown_out for client in everybody),
    }
