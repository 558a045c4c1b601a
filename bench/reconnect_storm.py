"""A reconnect storm, and one hot topic among many: what they cost the sidecar and Redis."""

from __future__ import annotations

import time
from contextlib import closing
from dataclasses import replace

import redis
from bench import frames, machine
from bench.clients import Clients, Endpoint
from bench.fanout import flow
from bench.servers import Target
from bench.stack import TOPIC
from corkboard import position

MISSED = 100
AT_ONCE = 512  # handshakes in progress: more would only wait in the listener's queue


def reconnect(target: Target, number: int) -> dict[str, float]:
    """Seconds from the first handshake until each of `number` clients has the last `MISSED` events."""
    assert target.redis is not None  # noqa: S101
    with redis.Redis.from_url(target.redis.url) as admin, closing(Clients()) as clients:
        _publish_some(target)
        epoch, _, offset = position(TOPIC).partition("-")
        since = f"{epoch}-{int(offset) - MISSED}"
        request = frames.upgrade(target.endpoint.port, f"/ws?topic={TOPIC}&since={since}")
        commands, cpu = _commands(admin), machine.cpu_seconds(target.all_pids)
        begun = time.perf_counter()
        connected = clients.open(replace(target.endpoint, request=request), number, AT_ONCE)
        clients.wait(lambda: clients.slowest >= MISSED, "every client to catch up", 120)
        return {
            "seconds": time.perf_counter() - begun,
            "connected_seconds": connected,
            "redis_commands": _commands(admin) - commands,
            "cpu_seconds": machine.cpu_seconds(target.all_pids) - cpu,
            "clients_with_wrong_events": sum(client.count != MISSED for client in clients.all),
        }


def _publish_some(target: Target) -> None:
    """Publishes what will be missed, while one client listens: a real topic is in use when a storm begins."""
    with closing(Clients()) as clients:
        clients.open(target.endpoint, 1)
        publisher = target.publisher(clients)
        clients.rest(0.5)
        base = clients.slowest
        publisher.send(2 * MISSED)
        clients.wait(lambda: clients.slowest >= base + 2 * MISSED, "the events")


def _commands(admin: redis.Redis) -> int:
    """Commands that the sidecar has sent over the connections that are open now."""
    return sum(int(each["tot-cmds"]) for each in admin.client_list() if each["user"] == "asgi")


def many_topics(target: Target, number: int, topics: int, each: int, seconds: float) -> dict[str, float]:
    """Bytes per subscription, and deliveries per CPU second of one hot topic among others.

    Each of `number` clients subscribes to the hot topic and to `each` of the other `topics`.
    """
    with closing(Clients()) as clients:
        clients.open(target.endpoint, 100)
        clients.rest(2)
        before = machine.memory(target.all_pids)
        for index in range(number):
            names = [f"board:t{(index * each + step) % topics}" for step in range(each)] if each else []
            clients.open(_subscribing(target.endpoint.port, [*names, TOPIC]), 1)
        clients.rest(4)
        grown = machine.memory(target.all_pids) - before
        result = flow(target, clients, 4, seconds)
    return {**result, "bytes_per_subscription": grown / number / (each + 1), "bytes": grown}


def _subscribing(port: int, topics: list[str]) -> Endpoint:
    hello = b"".join(
        frames.masked(frames.TEXT, f'{{"op":"subscribe","topic":"{topic}"}}'.encode()) for topic in topics
    )
    return Endpoint(port, frames.upgrade(port, "/ws"), hello, f'"topic":"{topics[-1]}"'.encode())
