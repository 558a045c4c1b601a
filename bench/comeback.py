"""Everybody comes back at once: how long until all have what they missed, and what it costs Redis."""

from __future__ import annotations

import time
from dataclasses import replace

import redis
from bench import machine, wire
from bench.fanout import flow
from bench.servers import Target
from bench.stack import TOPIC
from bench.subscriber import Entrance
from bench.swarm import Swarm

MISSED = 100
AT_ONCE = 512  # handshakes begun and not finished: more only wait in the listener's queue


def come_back(target: Target, clients: int) -> dict[str, float]:
    """Seconds from the first handshake until each of `clients` has the last `MISSED` events."""
    assert target.publishing.redis is not None  # noqa: S101
    where = target.publishing.redis
    with redis.Redis(port=where.port, username=where.user, password=where.password) as admin:
        last = _publish_some(target)
        epoch, _, offset = last.partition("-")
        swarm = Swarm()
        since = f"{epoch}-{int(offset) - MISSED}"
        request = wire.upgrade(target.entrance.port, f"/ws?topic={TOPIC}&since={since}")
        commands, cpu = _commands(admin), machine.cpu_seconds(target.all_pids)
        begun = time.perf_counter()
        connected = swarm.open(replace(target.entrance, request=request), clients, AT_ONCE)
        swarm.wait(lambda: swarm.slowest >= MISSED, "everybody to catch up", 120)
        seconds = time.perf_counter() - begun
        spent = _commands(admin) - commands
        used = machine.cpu_seconds(target.all_pids) - cpu
    lost = sum(subscriber.count != MISSED for subscriber in swarm.subscribers.values())
    swarm.close()
    return {
        "seconds": seconds,
        "connected_seconds": connected,
        "redis_commands": spent,
        "cpu_seconds": used,
        "clients_with_wrong_events": lost,
    }


def _publish_some(target: Target) -> str:
    """Publishes what will be missed while one subscriber listens, as somebody always does."""
    swarm = Swarm()
    swarm.open(target.entrance, 1)
    publisher = target.publishing.start(swarm)
    swarm.rest(0.5)
    base = swarm.slowest
    publisher.send(2 * MISSED)
    swarm.wait(lambda: swarm.slowest >= base + 2 * MISSED, "the events")
    swarm.close()
    where = target.publishing.redis
    assert where is not None  # noqa: S101
    with redis.Redis(port=where.port, username=where.user, password=where.password) as admin:
        epoch, offset = admin.hmget(f"topic:{{{TOPIC}}}", ["epoch", "offset"])
    return f"{epoch.decode()}-{offset.decode()}"


def _commands(admin: redis.Redis) -> int:
    """Commands that the sidecar's connections have sent so far, of those that are open."""
    clients = admin.client_list()
    return sum(int(each["tot-cmds"]) for each in clients if each["user"] == "asgi")


def entrance_of_topics(port: int, topics: list[str]) -> Entrance:
    """A subscriber to several topics at once."""
    hello = b"".join(
        wire.masked(wire.TEXT, f'{{"op":"subscribe","topic":"{topic}"}}'.encode()) for topic in topics
    )
    ready = f'"topic":"{topics[-1]}"'.encode()
    return Entrance(port, wire.upgrade(port, "/ws"), hello, ready)


def many_topics(target: Target, connections: int, topics: int, each: int, seconds: float) -> dict[str, float]:
    """Bytes a subscription, and deliveries a CPU second of one hot topic among all the others.

    Every connection listens to `each` of the topics, and to the hot one.
    """
    swarm = Swarm()
    swarm.open(target.entrance, 100)
    swarm.rest(2)
    before = machine.memory(target.all_pids)
    for number in range(connections):
        names = [f"board:t{(number * each + index) % topics}" for index in range(each)] if each else []
        swarm.open(entrance_of_topics(target.entrance.port, [*names, TOPIC]), 1)
    swarm.rest(4)
    grown = machine.memory(target.all_pids) - before
    result = flow(target, swarm, 4, seconds)
    swarm.close()
    return {**result, "bytes_per_subscription": grown / connections / (each + 1), "bytes": grown}
