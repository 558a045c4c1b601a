"""Fan-out, delay, memory and handshakes: each function runs in the load generator's process."""

from __future__ import annotations

import socket
import time
from contextlib import closing

from bench import machine
from bench.clients import Clients, Refused
from bench.servers import Target
from bench.stack import TOPIC

SETTLE_SECONDS = 0.5
RECORDING = 50  # clients that record delays
DRAIN_SECONDS = 20.0  # a server that is further behind does not keep up


def throughput(target: Target, subscribers: int, in_flight: int, seconds: float) -> dict[str, float]:
    """Deliveries per CPU second while `in_flight` events are on their way at any moment.

    The next event is published as soon as every subscriber has one more: the server always has work, and
    never more than that.
    """
    with closing(Clients()) as clients:
        clients.open(target.endpoint, subscribers)
        return flow(target, clients, in_flight, seconds)


def flow(target: Target, clients: Clients, in_flight: int, seconds: float) -> dict[str, float]:
    """What `throughput` measures, with clients that are already subscribed."""
    clients.rest(SETTLE_SECONDS)
    publisher = target.publisher(clients)
    clients.rest(SETTLE_SECONDS)
    base = published = clients.slowest
    received_before = clients.received

    def flow_until(moment: float) -> None:
        nonlocal published
        while time.perf_counter() < moment:
            room = in_flight - (published - clients.slowest)
            if room > 0:
                publisher.send(room)
                published += room
            clients.turn(1)

    flow_until(time.perf_counter() + min(1.0, seconds))
    cpu, received, reads, begun = _used(target), clients.received, clients.reads, time.perf_counter()
    flow_until(begun + seconds)
    used, elapsed = _used(target), time.perf_counter() - begun
    deliveries, reads = clients.received - received, clients.reads - reads
    clients.wait(lambda: clients.slowest >= published, "the last events", 90)
    total = sum(used.values()) - sum(cpu.values())
    return {
        "deliveries_per_cpu_second": deliveries / total,
        "deliveries_per_second": deliveries / elapsed,
        "events_per_read": deliveries / reads,
        "busy": total / elapsed,
        "repeated": clients.received - received_before - (published - base) * len(clients.all),
        **{f"{role}_cpu_share": (used[role] - cpu[role]) / total for role in used},
    }


def delay(
    target: Target, subscribers: int, rate: float, seconds: float, streams: int = 0, polls: int = 0
) -> dict[str, float]:
    """Milliseconds from publishing to receipt at a steady rate.

    Beside the WebSockets, `streams` event streams listen to the same topic, and `polls` long polls wait for
    a topic on which nothing happens.
    """
    with closing(Clients()) as clients:
        clients.open(target.endpoint, subscribers)
        paths = [f"/ws/events?topic={TOPIC}"] * streams + ["/ws/poll?topic=board:quiet&timeout=30"] * polls
        others = [_listen(clients, target.endpoint.port, path) for path in paths]
        publisher = target.publisher(clients)
        clients.rest(2 * SETTLE_SECONDS)
        base = clients.slowest
        recording = clients.record(min(RECORDING, subscribers))
        cpu, begun, sent = _used(target), time.perf_counter(), 0
        while sent < rate * seconds:
            wait = begun + sent / rate - time.perf_counter()
            if wait <= 0:
                publisher.send(1)
                sent += 1
            else:
                clients.turn(wait)
        used = _used(target)
        try:
            clients.wait(lambda: clients.slowest >= base + sent, "the last events", DRAIN_SECONDS)
        except Refused:
            there = f"{clients.received:,} of {sent * subscribers:,} deliveries"
            raise Refused(f"does not keep up: {there} {DRAIN_SECONDS:.0f} s after the last event") from None
        for sock in others:
            sock.close()
    delays = sorted(received - published for client in recording for published, received in client.log or ())
    return {
        **{f"p{share}_ms": delays[int(len(delays) * share / 100)] / 1e6 for share in (99, 95, 50)},
        "max_ms": delays[-1] / 1e6,
        "busy": (sum(used.values()) - sum(cpu.values())) / seconds,
    }


def _listen(clients: Clients, port: int, path: str) -> socket.socket:
    """Opens an event stream, or a long poll that is sent again whenever it is answered."""
    sock = socket.create_connection(("127.0.0.1", port))
    request = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n".encode()

    def read() -> None:
        answer = sock.recv(65536)
        if not answer or answer.startswith((b"HTTP/1.1 4", b"HTTP/1.1 5")):
            raise Refused(f"{path} was refused: {answer[:200]!r}")
        if "/poll" in path:
            sock.sendall(request)

    clients.watch(sock, read)
    sock.sendall(request)
    return sock


def idle_memory(target: Target, connections: int) -> dict[str, float]:
    """Resident bytes that each idle connection adds, after a hundred that warm the server up."""
    with closing(Clients()) as clients:
        clients.open(target.endpoint, 100)
        clients.rest(2)
        before = {role: machine.memory(pids) for role, pids in target.pids.items()}
        clients.open(target.endpoint, connections)
        clients.rest(4)
        after = {role: machine.memory(pids) for role, pids in target.pids.items()}
    grown = {role: (after[role] - before[role]) / connections for role in before}
    return {"bytes_per_connection": sum(grown.values()), **{f"{role}_bytes": grown[role] for role in grown}}


def handshakes(target: Target, connections: int) -> dict[str, float]:
    """Connections opened per second, 64 at a time; each ends when the server has subscribed it."""
    with closing(Clients()) as clients:
        clients.open(target.endpoint, 200)
        cpu = _used(target)
        seconds = clients.open(target.endpoint, connections)
        total = sum(_used(target).values()) - sum(cpu.values())
    return {
        "per_second": connections / seconds,
        "per_cpu_second": connections / total,
        "busy": total / seconds,
    }


def _used(target: Target) -> dict[str, float]:
    return {role: machine.cpu_seconds(pids) for role, pids in target.pids.items()}
