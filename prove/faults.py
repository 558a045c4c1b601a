"""The faults: each does something to a part, and undoes it."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from prove.parts import Parts
from prove.traffic import Traffic

FROZEN_SECONDS = 5.0
# Longer than the apps wait for Redis, and than a sidecar takes to give a silent connection up.
REDIS_FROZEN_SECONDS = 10.0
# Longer than it takes until another process stands in its place.
SIDECAR_FROZEN_SECONDS = 12.0
CUT_SECONDS = 12.0
BAD_SECONDS = 10.0


def nothing(_: Parts) -> None:
    """There is nothing to undo."""


@dataclass(frozen=True)
class Fault:
    """One row of the table.

    Attributes:
        name: what ONLY selects.
        doing: injects the fault, and returns when it is undone.
        undo: also after an error; harmless otherwise.
        parts: the services that it needs.
    """

    name: str
    doing: Callable[[Parts, Traffic], None]
    undo: Callable[[Parts], None] = nothing
    parts: tuple[str, ...] = ()


def all_faults() -> list[Fault]:
    """Every fault of a running stack, in the order of the table."""
    return [
        *(
            Fault(f"kill-{part}", _call("kill", part), parts=(part,))
            for part in (*_WSGI, "asgi", "nginx", "redis")
        ),
        *(_freeze(part, FROZEN_SECONDS) for part in ("wsgi", "nginx")),
        _freeze("asgi", SIDECAR_FROZEN_SECONDS, one=True),
        _freeze("redis", REDIS_FROZEN_SECONDS),
        Fault("cut-redis", _cut, lambda parts: parts.mend(), ("asgi", "redis")),
        *(
            Fault(f"oom-{part}", _call("exhaust", part), parts=(part,))
            for part in ("wsgi-worker", "asgi", "redis")
        ),
        *(Fault(f"restart-{part}", _call("restart", part), parts=(part,)) for part in _SERVICES),
        *(Fault(f"deploy-{part}", _call("deploy", part), parts=(part,)) for part in _SERVICES),
        Fault("bad-lines", lambda _, traffic: traffic.shake(BAD_SECONDS)),
        Fault("reload-nginx", lambda parts, _: parts.reload(), parts=("nginx",)),
    ]


_WSGI = ("wsgi-worker", "wsgi")
_SERVICES = ("wsgi", "asgi", "nginx", "redis")


def _call(what: str, part: str) -> Callable[[Parts, Traffic], None]:
    return lambda parts, _: getattr(parts, what)(part)


def _freeze(part: str, seconds: float, one: bool = False) -> Fault:
    def doing(parts: Parts, _: Traffic) -> None:
        parts.freeze(part, one)
        time.sleep(seconds)
        parts.thaw(part)

    return Fault(f"freeze-{part}", doing, lambda parts: parts.thaw(part), (part,))


def _cut(parts: Parts, _: Traffic) -> None:
    parts.cut()
    time.sleep(CUT_SECONDS)
    parts.mend()
