"""`python -m corkboard relay URL`: sends what the app's own processes could not."""

from __future__ import annotations

import argparse
import json
import logging
import os
import random
import select
import signal
import sys
import time
from contextlib import suppress
from typing import Any

from corkboard import settings
from corkboard.outbox import databases, sql
from corkboard.outbox.sender import send_batch
from corkboard.publish import TooLate
from corkboard.store import StoreUnavailable

log = logging.getLogger("corkboard.relay")

LONGEST_PAUSE = 5.0
PLAIN = "%(asctime)s %(levelname)s %(message)s"
URL_HELP = "postgresql://…, sqlite:///FILE or mysql://…; default: the variable DATABASE_URL"


class Stop:
    """Ends waits when SIGTERM or SIGINT comes, and nothing else: a batch is finished first."""

    def __init__(self) -> None:
        self.asked = False
        self._pipe, write = os.pipe()
        os.set_blocking(write, False)
        signal.set_wakeup_fd(write)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._ask)

    def wait(self, seconds: float, *readable: Any) -> None:
        """Waits for a signal, for one of `readable` to become so, or for `seconds`."""
        if not self.asked:
            select.select([self._pipe, *readable], [], [], seconds)

    def _ask(self, *_: object) -> None:
        self.asked = True


class Relay:
    """Sends the rows of one table, whatever becomes of Redis and the database meanwhile."""

    def __init__(self, url: str, table: str) -> None:
        self._url, self._table = url, table
        self._connection: Any = None
        self._heard: list[Any] = []
        self._trouble = ""
        self._pause = 0.0

    def run(self, stop: Stop, poll: float) -> None:
        """Sends rows until told to stop, and looks for more every `poll` seconds at the latest."""
        while not stop.asked:
            try:
                while self.send() and not stop.asked:
                    pass
            except TooLate as error:
                log.info("reading again: %s", error)
            except Exception as error:
                # Not all relays at the same moment.
                stop.wait(self._failed(error) * random.uniform(0.5, 1))
            else:
                if self._trouble:
                    log.info("works again")
                self._trouble, self._pause = "", 0.0
                listening = [self._connection] if hasattr(self._connection, "notifies") else []
                if not self._heard:
                    stop.wait(poll, *listening)

    def send(self) -> bool:
        """Sends one batch; returns whether there may be more.

        Raises:
            Exception: as `send_batch`, and `databases.connect`.
        """
        if self._connection is None:
            self._connection, self._heard = databases.connect(self._url, self._table)
        # What comes while the rows are read may be about rows that this misses.
        self._heard.clear()
        return send_batch(self._connection, self._table)

    def _failed(self, error: Exception) -> float:
        if not isinstance(error, StoreUnavailable):
            with suppress(Exception):
                self._connection.close()
            self._connection = None
        trouble = type(error).__name__
        log.debug("%s: %s", trouble, str(error).strip())
        if trouble != self._trouble:
            log.warning("%s: %s; trying again until it works", trouble, str(error).strip())
        self._trouble = trouble
        self._pause = min(LONGEST_PAUSE, max(0.1, self._pause * 2))
        return self._pause


class JsonLines(logging.Formatter):
    """One JSON object per line."""

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        line = {
            "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(record.created)),
            "level": record.levelname.lower(),
            "message": record.getMessage(),
        }
        if record.exc_info:
            line["error"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False)


def arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the relay's arguments to `parser`."""
    parser.add_argument("url", nargs="?", default=os.environ.get("DATABASE_URL", ""), help=URL_HELP)
    parser.add_argument("--once", action="store_true", help="send what is there, and end")
    parser.add_argument("--poll", type=float, default=0.5, metavar="SECONDS", help="default: %(default)s")
    parser.add_argument("--table", default=sql.TABLE, help="default: %(default)s")
    parser.add_argument(
        "--ddl", choices=sql.DIALECTS, help="print the statement that makes the table, and end"
    )
    parser.add_argument("--json", action="store_true", help="log JSON lines")
    parser.add_argument("--verbose", action="store_true", help="log each batch")


def main(options: argparse.Namespace) -> int:
    """Runs the relay and returns its exit code.

    Raises:
        NotConfigured: as `publish`.
    """
    try:
        if options.ddl:
            print(sql.ddl(options.ddl, options.table) + ";")
            return 0
        sql.checked(options.table)
        databases.driver_for(options.url)
    except ValueError as error:
        print(error, file=sys.stderr)
        return 2
    if settings.load().off:
        print("CORKBOARD_URL is off: the relay would send nothing", file=sys.stderr)
        return 2
    handler = logging.StreamHandler()
    handler.setFormatter(JsonLines() if options.json else logging.Formatter(PLAIN))
    logging.basicConfig(level=logging.DEBUG if options.verbose else logging.INFO, handlers=[handler])
    relay = Relay(options.url, options.table)
    if not options.once:
        stop = Stop()
        log.info("waiting for events in %s", options.table)
        relay.run(stop, options.poll)
        log.info("stopped")
        return 0
    try:
        while relay.send():
            pass
    except Exception as error:
        log.error("%s: %s", type(error).__name__, str(error).strip())
        return 1
    return 0
