"""What an event costs a transaction: `python -m tests.outbox.cost [--disk]`, about a minute.

Without --disk all files are in memory, so that the figures show work instead of waiting. Each transaction
adds a row to a table. Rounds of the three ways alternate, so that what else the machine does meets all of
them; the difference is taken within each round.
"""

from __future__ import annotations

import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from corkboard import outbox
from tests.harness.postgres_server import MEMORY, PostgresServer, postgres_missing
from tests.harness.redis_server import RedisServer
from tests.outbox import writers

ROUNDS = 25
TRANSACTIONS = 100
DATA = {"id": 12345, "customer": "somebody@example.org", "total": "99.90", "items": [1, 2, 3]}

Way = Callable[[Any], None]


def nothing(connection: Any) -> None:
    """The write and its commit alone."""
    _write(connection)
    connection.commit()


def put(connection: Any) -> None:
    """With an event, which the relay sends."""
    _write(connection)
    outbox.put(connection, "orders", "order.created", DATA)
    connection.commit()


def put_and_send(connection: Any) -> None:
    """With an event that is sent at once."""
    put(connection)
    outbox.send(connection)


WAYS: tuple[Way, ...] = (nothing, put, put_and_send)


def main() -> None:
    """Prints a table."""
    disk = "--disk" in sys.argv
    with ExitStack() as stack:
        redis = stack.enter_context(RedisServer(options=() if disk else ("--appendfsync", "no")))
        os.environ["CORKBOARD_ENV_FILE"] = str(redis.app_env)
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=None if disk else MEMORY)))
        databases = {"SQLite (WAL)": f"sqlite:///{folder}/app.db"}
        if not postgres_missing():
            databases["PostgreSQL"] = stack.enter_context(PostgresServer(disk=disk)).url
        print("| | µs per transaction | more than without, µs |\n|---|---|---|")
        for name, url in databases.items():
            for way, (whole, more) in _measured(url).items():
                print(f"| {name}: {way} | {whole} | {more} |")


def _measured(url: str) -> dict[str, tuple[str, str]]:
    writers.prepare(url)
    connection = writers.connect(url)
    if url.startswith("sqlite:"):
        connection.isolation_level = ""
    connection.cursor().execute("CREATE TABLE orders (id integer, customer text)")
    connection.commit()
    rounds: dict[Way, list[float]] = {way: [] for way in WAYS}
    for number in range(ROUNDS + 1):
        for way in sorted(WAYS, key=lambda way: (WAYS.index(way) + number) % len(WAYS)):
            took = _round(way, connection)
            if number:  # the first one warms up
                rounds[way].append(took)
            # What `put` alone has left is not the next one's to send.
            while not outbox.send(connection):
                pass
    connection.close()
    base = rounds[nothing]
    return {
        way.__name__.replace("_", " "): (
            _spread(found),
            _spread([one - other for one, other in zip(found, base, strict=True)]) if way != nothing else "",
        )
        for way, found in rounds.items()
    }


def _round(way: Way, connection: Any) -> float:
    began = time.perf_counter()
    for _ in range(TRANSACTIONS):
        way(connection)
    return (time.perf_counter() - began) / TRANSACTIONS * 1e6


def _write(connection: Any) -> None:
    connection.cursor().execute("INSERT INTO orders VALUES (1, 'somebody@example.org')")


def _spread(values: list[float]) -> str:
    low, _, high = statistics.quantiles(values, n=4)
    return f"{statistics.median(values):.0f} ({low:.0f} to {high:.0f})"


if __name__ == "__main__":
    main()
