"""A client that was away for longer than the history reaches must be told so."""

from __future__ import annotations

import subprocess

from prove.parts import Parts
from prove.report import Row, Table
from prove.run import clean_up
from prove.traffic import Load, Traffic
from prove.verdict import Verdict

NAME = "away-too-long"
WRITES = 6
KEPT = 2


def run(rounds: int, parts: Parts, table: Table, own_app: bool) -> None:
    """Writes, shortens the history, and comes back with a cursor that is too old and with one that is not."""
    row = Row(NAME)
    for _ in range(rounds):
        with Traffic(parts.base_url, Load(0, 0, 0, 0, 0, 0), own_app) as traffic:
            try:
                ids = [f"{traffic.position().rpartition('-')[0]}-{number}" for number in range(1, WRITES + 2)]
                for number in range(WRITES):
                    traffic.write(f"away {number}")
                # What a topic's history length does, with numbers that are small enough to be written here.
                parts.redis_cli("XTRIM", f"stream:{{{traffic.topic}}}", "MAXLEN", str(KEPT))
                complete, _ = traffic.come_back(ids[0])
                still_there, received = traffic.come_back(ids[WRITES - KEPT])
                row.verdicts.append(Verdict(acknowledged=WRITES, stored=WRITES, listeners=2))
                if complete:
                    row.problems.append("a client that missed more than the history holds was not told so")
                if not still_there or received != KEPT:
                    row.problems.append(f"a client that missed {KEPT} events received {received}")
            except subprocess.CalledProcessError as error:
                row.problems.append(f"could not be done: {(error.stderr or '').strip() or error}")
            finally:
                clean_up(parts, traffic.topic)
    table.add(row)
