"""The settings beside Locust's own: in locust.conf, as LOCUST_... in the environment, or as options."""

from __future__ import annotations

import random
from argparse import ArgumentParser, ArgumentTypeError
from typing import Any

from locust import events

from loadtest import target
from loadtest.limits import limits
from loadtest.shapes import SHAPES


def install() -> None:
    """Adds the settings to Locust's."""
    events.init_command_line_parser.add_listener(_add)


def random_room(environment: Any) -> str:
    """One of the rooms of this run."""
    return target.room(random.randrange(environment.parsed_options.rooms))


def record(
    environment: Any, line: tuple[str, str], milliseconds: float | None, error: Exception | None = None
) -> None:
    """Adds to a line of the report. Without milliseconds it counts, and has no percentiles."""
    environment.events.request.fire(
        request_type=line[0], name=line[1], response_time=milliseconds, response_length=0, exception=error
    )


def _add(parser: ArgumentParser) -> None:
    group: Any = parser.add_argument_group("Corkboard")

    def add(name: str, default: Any, explanation: str, **more: Any) -> None:
        variable = "LOCUST_" + name.upper().replace("-", "_")
        group.add_argument(f"--{name}", env_var=variable, default=default, help=explanation, **more)

    add("shape", "steady", "how the number of users changes", choices=sorted(SHAPES))
    add("rooms", 1, "topics over which the users are spread", type=_positive)
    add("max-failure-ratio", 0.001, "failed requests of one type, 0 to 1", type=_share)
    add("max-p95", "", "milliseconds, as in GET=200, fan-out=250", type=_limits)
    add("max-p99", "", "the same for the 99th percentile", type=_limits)
    add("min-delivery", 1.0, "share of all events that reach each listener, 0 to 1", type=_share)
    add("min-requests", 1.0, "good answers to HTTP requests, a second", type=_number)
    add("min-events", 1.0, "events received by all listeners together, a second", type=_number)


def _limits(text: str) -> str:
    limits(text)
    return text


def _share(text: str) -> float:
    value = _number(text)
    if value > 1:
        raise ArgumentTypeError(f"{text} makes no sense: it is a share, from 0 to 1")
    return value


def _number(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1
    if not 0 <= value < float("inf"):
        raise ArgumentTypeError(f"{text} makes no sense: it must be a number, 0 or more")
    return value


def _positive(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text) < 1:
        raise ArgumentTypeError(f"{text} makes no sense: it must be a whole number, 1 or more")
    return int(text)
