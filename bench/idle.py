"""What connections and topics cost on which nothing happens, pings included."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import closing

import redis
from bench import frames, machine
from bench.clients import Clients, Endpoint
from bench.servers import Target

SETTLE_SECONDS = 6.0  # until everybody has been told how many listen, and everything was compared once
PER = 1000


def cost(target: Target, number: int, seconds: float) -> dict[str, float]:
    """Percent of a core and Redis commands a second, both per thousand: of connections, and of topics.

    First `number` connections listen to one topic; then as many come that have a topic each. All servers ping
    every 20 s, so `seconds` is best a multiple of that.
    """
    assert target.redis is not None  # noqa: S101
    found = {}
    spent = (0.0, 0.0)
    with redis.Redis.from_url(target.redis.url) as admin, closing(Clients()) as clients:
        for what, name in (("connections", lambda _: "bench"), ("topics", lambda index: f"idle-{index}")):
            _open(clients, target, number, name)
            clients.rest(SETTLE_SECONDS)
            before, (cpu, commands) = spent, _spend(target, admin, clients, seconds)
            spent = cpu, commands
            found[f"{what}_cpu"] = 100 * (cpu - before[0]) / number * PER
            found[f"{what}_commands"] = (commands - before[1]) / number * PER
    return found


def _open(clients: Clients, target: Target, number: int, name: Callable[[int], str]) -> None:
    port = target.endpoint.port
    for index in range(number):
        request = frames.upgrade(port, f"/ws?topic=board:{name(index)}")
        clients.open(Endpoint(port, request, ready=target.endpoint.ready), 1)


def _spend(target: Target, admin: redis.Redis, clients: Clients, seconds: float) -> tuple[float, float]:
    # CPU seconds, and commands, both per second.
    cpu, commands, begun = machine.cpu_seconds(target.all_pids), _commands(target, admin), time.monotonic()
    clients.rest(seconds)
    passed = time.monotonic() - begun
    return (
        (machine.cpu_seconds(target.all_pids) - cpu) / passed,
        (_commands(target, admin) - commands) / passed,
    )


def _commands(target: Target, admin: redis.Redis) -> int:
    """Commands that the server has sent over the connections that are open now."""
    me = str(admin.client_id())
    found = [each for each in admin.client_list() if each["user"] == target.redis_user and each["id"] != me]
    return sum(int(each["tot-cmds"]) for each in found)
