"""`python -m bench.capacity`: the sidecars, cores, memory and Redis servers that a number of clients needs.

It calculates with measured costs. docs/explanation/capacity.md has the source of each, and how far off the
result is.
"""

from __future__ import annotations

import argparse
import math
from dataclasses import dataclass

# Seconds of CPU time on the machine of docs/explanation/performance.md.
WRITE = 4 / 482e3  # of a sidecar, to one client: "Audience", 8,000 subscribers, four events in each
WRITE_NGINX = 4 / 245e3 - WRITE  # of nginx, for the same: "Through nginx, 4 in flight", which counts both
IDLE = 0.0102 / 1000  # of a sidecar, per second and client: "Idle"
IDLE_TOPIC = 0.0068 / 1000  # of a sidecar, per second and topic with a single client: "Idle"
HANDSHAKE = 1 / 6817  # of a sidecar: "Handshakes"
EVENT_REDIS = 60e-6  # of Redis, for an event: `publish`, 10,000 of them by 200 in flight, without the fsync
COMMANDS_TOPIC = 13.2 / 1000  # to Redis, per second and topic with a single client: "Idle"; a number, no time
COMMAND_REDIS = 20e-6  # of Redis, for a command or a message to a sidecar: an assumption, rather too high
# Bytes.
SIDECAR, SOCKET = 46 << 20, 6_900  # docs/how-to/scale.md; "Memory"
SUBSCRIPTION = 1_000  # of a sidecar: an assumption, rather too high
TOPIC = 5_200  # of a sidecar: "Hot topic", 17.3 MB among 2,000 others beside 7.0 MB alone
NGINX, SOCKET_NGINX = 32 << 20, 33 << 10  # docs/how-to/scale.md; 56 KiB with TLS
# The share of each process that is planned with. The rest is a reserve.
FILL = 0.6
MOST_SOCKETS = 8000
RETURN_SECONDS = 60


@dataclass(frozen=True)
class Need:
    """What is needed: CPU in cores, memory in bytes, of all processes together."""

    sidecars: int
    sidecar_cores: float
    nginx_cores: float
    redis_cores: float
    sidecar_bytes: int
    nginx_bytes: int
    redis_servers: int


def sidecar_cores(clients: int, deliveries: float) -> float:
    """The cores that sidecars use for `clients` and `deliveries` per second, if events come one by one."""
    return deliveries * WRITE + clients * IDLE


def need(clients: int, topics_per_client: float, events: float, audience: float, own_topics: int) -> Need:
    """What a number of clients needs.

    Args:
        clients: how many are connected.
        topics_per_client: how many topics each subscribes to.
        events: events per second, of all topics together.
        audience: how many clients get each event.
        own_topics: how many topics have only one or two listeners.
    """
    deliveries = events * audience
    cores = sidecar_cores(clients, deliveries) + own_topics * IDLE_TOPIC
    # After a restart all clients come back within RETURN_SECONDS.
    coming_back = clients / RETURN_SECONDS * HANDSHAKE
    sidecars = max(
        2,
        math.ceil(clients / (MOST_SOCKETS * FILL)),
        math.ceil((cores + coming_back) / FILL),
    )
    redis = events * (EVENT_REDIS + sidecars * COMMAND_REDIS) + own_topics * COMMANDS_TOPIC * COMMAND_REDIS
    socket = SOCKET + topics_per_client * SUBSCRIPTION
    return Need(
        sidecars,
        cores,
        deliveries * WRITE_NGINX,
        redis,
        round(sidecars * SIDECAR + clients * socket + own_topics * TOPIC),
        NGINX + clients * SOCKET_NGINX,
        math.ceil(redis / FILL),
    )


def main() -> None:
    """Prints what is needed."""
    parser = argparse.ArgumentParser(prog="python -m bench.capacity", description=__doc__)
    parser.add_argument("--clients", type=int, required=True)
    parser.add_argument("--topics-per-client", type=float, default=1)
    parser.add_argument("--events", type=float, required=True, help="per second, of all topics")
    parser.add_argument("--audience", type=float, default=1000, help="clients that get an event")
    parser.add_argument("--own-topics", type=int, default=0, help="topics with a listener or two")
    given = parser.parse_args()
    found = need(given.clients, given.topics_per_client, given.events, given.audience, given.own_topics)
    print(f"deliveries       {given.events * given.audience:,.0f} per second")
    print(f"sidecars         {found.sidecars}, which use {found.sidecar_cores:.1f} cores")
    print(f"                 and {found.sidecar_bytes / 1e6:,.0f} MB")
    print(f"nginx            {found.nginx_cores:.1f} cores, {found.nginx_bytes / 1e6:,.0f} MB")
    print(f"Redis            {found.redis_cores:.2f} cores: {found.redis_servers} server(s)")
    print(f"planned with     {FILL:.0%} of each process; clients that come back within {RETURN_SECONDS} s")


if __name__ == "__main__":
    main()
