"""One fault after the other, on a stack with traffic."""

from __future__ import annotations

import subprocess
from collections.abc import Iterable
from contextlib import suppress
from fnmatch import fnmatchcase

from prove.faults import Fault
from prove.parts import Broken, NotHere, Parts
from prove.report import Row, Table
from prove.traffic import Traffic

# Before a fault everybody hears events; after it everybody must again.
STEADY_SECONDS = 60.0
CALM_SECONDS = 120.0


def chosen(names: Iterable[str], only: str) -> list[str]:
    """The names that `only` selects: names, beginnings of names, or patterns, with commas between them.

    Raises:
        ValueError: a part of `only` selects nothing.
    """
    everything, wanted = list(names), only.replace(",", " ").split()
    for part in wanted:
        if not any(_fits(name, part) for name in everything):
            raise ValueError(f"ONLY={part!r} selects no fault; there are: {', '.join(everything)}")
    return [name for name in everything if not wanted or any(_fits(name, part) for part in wanted)]


def run(fault: Fault, rounds: int, traffic: Traffic, parts: Parts, table: Table) -> Row:
    """Does the fault so many times, and adds its row to the table."""
    row = Row(fault.name)
    for number in range(1, rounds + 1):
        try:
            with table.progress(
                fault.name, "steady traffic" + (f", round {number} of {rounds}" if rounds > 1 else "")
            ):
                traffic.steady(seconds=STEADY_SECONDS)
            traffic.begin()
            try:
                with table.progress(fault.name, "in progress"):
                    fault.doing(parts, traffic)
            finally:
                fault.undo(parts)
            with table.progress(fault.name, "waiting until everybody is back"):
                traffic.calm(CALM_SECONDS)
        except NotHere as missing:
            row.reason = str(missing)
            break
        except Broken as broken:
            row.problems.append(str(broken))
        except (RuntimeError, subprocess.CalledProcessError, OSError) as error:
            row.problems.append(f"could not be done: {_reason(error)}")
        with table.progress(fault.name, "comparing"):
            row.verdicts.append(traffic.check())
    table.add(row)
    return row


def clean_up(parts: Parts, *topics: str) -> None:
    """Removes everything that was written to these topics, once nobody writes to them any more."""
    for topic in filter(None, topics):
        keys = [f"{kind}:{{{topic}}}" for kind in ("topic", "stream", "notes", "folded", "order", "once")]
        with suppress(subprocess.CalledProcessError):
            parts.redis_cli("UNLINK", *keys)


def _fits(name: str, part: str) -> bool:
    return fnmatchcase(name, part) or name.startswith(f"{part}-") or name.endswith(f"-{part}")


def _reason(error: Exception) -> str:
    if isinstance(error, subprocess.CalledProcessError):
        said = (error.stderr or error.stdout or "").strip().splitlines()
        return f"{' '.join(map(str, error.cmd[:4]))}: {said[-1] if said else error.returncode}"
    return str(error)
