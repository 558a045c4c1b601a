"""A lossy network: clients are cut off for two of 17 seconds. What share of the events do they receive?"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import closing
from itertools import pairwise

from bench.clients import Client, Clients
from bench.servers import Target

CUTS = 2
AWAY_SHARE = 2 / 17  # 15 seconds connected, two cut off
CATCH_UP_SECONDS = 3.0  # after the last event
SETTLE_SECONDS = 0.5
# Events are published for so long before the first cut: a client without an event has no id to resume from.
LEAD_SECONDS = 0.5
TURN_SECONDS = 0.02


def share_delivered(target: Target, number: int, rate: float, seconds: float) -> dict[str, float]:
    """Percent of the published events that `number` clients receive while each is cut off twice.

    Every client is cut off at moments of its own, evenly spread. The last one is back shortly before the end.
    """
    target = target.resuming or target
    with closing(Clients(reconnect=True)) as clients:
        publisher = target.publisher(clients)
        clients.open(target.endpoint, number, at_once=number, seconds=60)
        clients.record(number)
        clients.rest(SETTLE_SECONDS)
        begun, published = time.perf_counter(), 0
        cycle = seconds / CUTS
        cuts = deque(
            (begun + LEAD_SECONDS + cycle * (cut + (1 - AWAY_SHARE) * index / number), client)
            for cut in range(CUTS)
            for index, client in enumerate(clients.all)
        )

        def run_until(moment: float, is_done: Callable[[], bool] = lambda: False) -> None:
            while (left := moment - time.perf_counter()) > 0 and not is_done():
                while cuts and cuts[0][0] <= time.perf_counter():
                    clients.disconnect(cuts.popleft()[1], cycle * AWAY_SHARE)
                clients.turn(min(left, TURN_SECONDS))

        while published < rate * (seconds + LEAD_SECONDS):
            run_until(begun + published / rate)
            publisher.send(1)
            published += 1
        run_until(
            time.perf_counter() + CATCH_UP_SECONDS,
            lambda: all(len(_distinct(client)) == published for client in clients.all),
        )
        return _verdict(clients.all, published) | {"cuts": CUTS * number - len(cuts)}


def _distinct(client: Client) -> set[int]:
    return {at for at, _ in client.log or ()}


def _verdict(clients: Sequence[Client], published: int) -> dict[str, float]:
    logs = [[at for at, _ in client.log or ()] for client in clients]
    distinct = [len(set(log)) for log in logs]
    return {
        "delivered_percent": 100 * sum(distinct) / (published * len(clients)),
        "worst_client_percent": 100 * min(distinct) / published,
        "lost": published * len(clients) - sum(distinct),
        "duplicates": sum(map(len, logs)) - sum(distinct),
        "out_of_order": sum(later < earlier for log in logs for earlier, later in pairwise(log)),
        "thrown_out": sum(client.failures for client in clients),
    }
