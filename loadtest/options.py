"""The settings besides Locust's own: in locust.conf, as LOCUST_... in the environment, or as options."""

from __future__ import annotations

import random
from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from locust import events

from loadtest import target
from loadtest.load_shapes import SHAPES
from loadtest.thresholds import percentile_limits

MANY = 1_000_000


def install() -> None:
    """Adds the settings to Locust's."""
    events.init_command_line_parser.add_listener(_add)


def random_room(environment: Any) -> str:
    """The name of one of this run's rooms."""
    return target.room(random.randrange(environment.parsed_options.rooms))


def record(
    environment: Any, line: tuple[str, str], milliseconds: float | None, error: Exception | None = None
) -> None:
    """Counts an occurrence in a line of the report; percentiles need `milliseconds`."""
    environment.events.request.fire(
        request_type=line[0], name=line[1], response_time=milliseconds, response_length=0, exception=error
    )


def _add(parser: ArgumentParser) -> None:
    group: Any = parser.add_argument_group("Corkboard")

    def add(name: str, default: Any, explanation: str, **more: Any) -> None:
        variable = "LOCUST_" + name.upper().replace("-", "_")
        group.add_argument(f"--{name}", env_var=variable, default=default, help=explanation, **more)

    add("shape", "steady", "how the number of users changes", choices=sorted(SHAPES))
    add("rooms", 1, "topics over which the users are spread", type=_between(int, 1, MANY))
    add("max-failure-ratio", 0.001, "failed requests of one type, 0 to 1", type=_between(float, 0, 1))
    add("max-p95", "", "milliseconds, as in GET=200, fan-out=250", type=_limits)
    add("max-p99", "", "the same for the 99th percentile", type=_limits)
    add(
        "min-delivery",
        1.0,
        "share of all events that each listener receives",
        type=_between(float, 0, 1),
    )
    add("min-requests", 1.0, "good answers to HTTP requests per second", type=_between(float, 0, MANY))
    add("min-events", 1.0, "events received by all listeners per second", type=_between(float, 0, MANY))


def _limits(text: str) -> str:
    percentile_limits(text)
    return text


def _between(kind: Callable[[str], float], least: float, most: float) -> Callable[[str], float]:
    def parse(text: str) -> float:
        with suppress(ValueError):
            if least <= (value := kind(text)) <= most:
                return value
        name = "a whole number" if kind is int else "a number"
        raise ArgumentTypeError(f"{text} is invalid: expected {name} from {least:,} to {most:,}")

    return parse
