"""What runs in the generator's process: one function a question, each with its answer as plain numbers."""

from __future__ import annotations

import time

from bench import machine
from bench.beside import Beside
from bench.servers import Target
from bench.subscriber import Refused
from bench.swarm import Swarm

SETTLE_SECONDS = 0.5
PROBES = 50
DRAIN_SECONDS = 20.0  # who is further behind than that does not keep up


def throughput(target: Target, subscribers: int, in_flight: int, seconds: float) -> dict[str, float]:
    """Deliveries a CPU second while always `in_flight` events are on their way.

    The next event is published as soon as every subscriber has one more: the server is busy all the time,
    and never has more to do than that.
    """
    swarm = Swarm()
    swarm.open(target.entrance, subscribers)
    result = flow(target, swarm, in_flight, seconds)
    swarm.close()
    return result


def flow(target: Target, swarm: Swarm, in_flight: int, seconds: float) -> dict[str, float]:
    """What `throughput` does, with subscribers that are there already."""
    swarm.rest(SETTLE_SECONDS)
    publisher = target.publishing.start(swarm)
    swarm.rest(SETTLE_SECONDS)
    base = published = swarm.slowest
    everybody = len(swarm.subscribers)
    all_before = swarm.received

    def flow_until(until: float) -> None:
        nonlocal published
        while time.perf_counter() < until:
            room = in_flight - (published - swarm.slowest)
            if room > 0:
                publisher.send(room)
                published += room
            swarm.turn(1)

    flow_until(time.perf_counter() + min(1.0, seconds))
    cpu, received, reads, begun = _used(target), swarm.received, swarm.reads, time.perf_counter()
    flow_until(begun + seconds)
    used, elapsed = _used(target), time.perf_counter() - begun
    deliveries, reads = swarm.received - received, swarm.reads - reads
    swarm.wait(lambda: swarm.slowest >= published, "the last events", 90)
    total = sum(used.values()) - sum(cpu.values())
    return {
        "deliveries_per_cpu_second": deliveries / total,
        "deliveries_per_second": deliveries / elapsed,
        "events_per_read": deliveries / reads,
        "busy": total / elapsed,
        "repeated": swarm.received - all_before - (published - base) * everybody,
        **{f"{role}_cpu_share": (used[role] - cpu[role]) / total for role in used},
    }


def delay(
    target: Target, subscribers: int, rate: float, seconds: float, beside: Beside | None = None
) -> dict[str, float]:
    """Milliseconds from publishing to receipt at a steady rate, as `PROBES` of the subscribers see it."""
    swarm = Swarm()
    swarm.open(target.entrance, subscribers)
    others = beside.open(swarm) if beside else []
    publisher = target.publishing.start(swarm)
    swarm.rest(2 * SETTLE_SECONDS)
    base = swarm.slowest
    swarm.probe(min(PROBES, subscribers))
    cpu, begun, sent = _used(target), time.perf_counter(), 0
    while sent < rate * seconds:
        wait = begun + sent / rate - time.perf_counter()
        if wait <= 0:
            publisher.send(1)
            sent += 1
        else:
            swarm.turn(wait)
    used = _used(target)
    try:
        swarm.wait(lambda: swarm.slowest >= base + sent, "the last events", DRAIN_SECONDS)
    except Refused:
        there = f"{swarm.received:,} of {sent * subscribers:,} deliveries"
        raise Refused(f"does not keep up: {there} {DRAIN_SECONDS:.0f} s after the last event") from None
    delays = sorted(swarm.delays)
    swarm.close()
    for sock in others:
        sock.close()
    return {
        **{f"p{share}_ms": delays[int(len(delays) * share / 100)] / 1e6 for share in (99, 95, 50)},
        "max_ms": delays[-1] / 1e6,
        "busy": (sum(used.values()) - sum(cpu.values())) / seconds,
    }


def idle_memory(target: Target, connections: int) -> dict[str, float]:
    """Resident bytes that each idle connection adds. The first hundred only warm the server up."""
    swarm = Swarm()
    swarm.open(target.entrance, 100)
    swarm.rest(2)
    before = {role: machine.memory(pids) for role, pids in target.pids.items()}
    swarm.open(target.entrance, connections)
    swarm.rest(4)
    after = {role: machine.memory(pids) for role, pids in target.pids.items()}
    swarm.close()
    grown = {role: (after[role] - before[role]) / connections for role in before}
    return {"bytes_per_connection": sum(grown.values()), **{f"{role}_bytes": grown[role] for role in grown}}


def handshakes(target: Target, connections: int) -> dict[str, float]:
    """Connections opened a second, 64 at a time; each ends as ready for events as its server makes it."""
    swarm = Swarm()
    swarm.open(target.entrance, 200, 64)
    cpu = _used(target)
    seconds = swarm.open(target.entrance, connections, 64)
    total = sum(_used(target).values()) - sum(cpu.values())
    swarm.close()
    return {
        "per_second": connections / seconds,
        "per_cpu_second": connections / total,
        "busy": total / seconds,
    }


def _used(target: Target) -> dict[str, float]:
    return {role: machine.cpu_seconds(pids) for role, pids in target.pids.items()}
