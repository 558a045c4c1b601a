"""The table while it grows, and the files that stay."""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from prove.verdict import Verdict

COLUMNS = ("fault", "rounds", "stood still", "refused", "back after", "lost", "doubled", "missed")
WIDTHS = (20, 6, 11, 8, 10, 5, 7, 6)


@dataclass
class Row:
    """One fault, over all its rounds. Times are the longest, numbers are sums."""

    fault: str
    verdicts: list[Verdict] = field(default_factory=list)
    reason: str = ""  # why it was not run
    problems: list[str] = field(default_factory=list)

    @property
    def holds(self) -> bool:
        """Nothing broke, as far as it was run."""
        return not self.problems and all(verdict.holds for verdict in self.verdicts)

    def cells(self) -> list[str]:
        """As in COLUMNS."""
        found = self.verdicts
        back = [verdict.back_after for verdict in found]
        return [
            self.fault,
            str(len(found)),
            f"{max((verdict.silence for verdict in found), default=0):.1f} s",
            str(sum(verdict.failed.total() for verdict in found)),
            "never" if None in back else f"{max([0.0, *(each or 0 for each in back)]):.1f} s",
            str(sum(verdict.lost for verdict in found)),
            str(sum(verdict.doubled + verdict.divergent for verdict in found)),
            str(sum(verdict.missed for verdict in found)),
        ]

    def as_json(self) -> dict[str, object]:
        """For a program."""
        return {
            "fault": self.fault,
            "not_run": self.reason,
            "problems": self.problems,
            "holds": self.holds,
            "rounds": [
                {
                    **{name: value for name, value in vars(verdict).items() if name != "examples"},
                    "examples": verdict.examples,
                }
                for verdict in self.verdicts
            ],
        }


class Table:
    """Prints a row as soon as it is complete, and what happens meanwhile where somebody looks on."""

    def __init__(self) -> None:
        self.rows: list[Row] = []
        self._live = sys.stdout.isatty()
        self._begun = time.monotonic()

    def head(self) -> None:
        """The first line."""
        print(_line(COLUMNS), flush=True)

    @contextmanager
    def progress(self, fault: str, doing: str) -> Iterator[None]:
        """Shows what goes on, with the seconds since it began."""
        if not self._live:
            yield
            return
        done, begun = threading.Event(), time.monotonic()

        def show() -> None:
            while not done.wait(0.5):
                print(f"\r{fault:<20} {doing} {time.monotonic() - begun:3.0f} s\033[K", end="", flush=True)

        thread = threading.Thread(target=show, daemon=True)
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join()
            print("\r\033[K", end="", flush=True)

    def add(self, row: Row) -> None:
        """Prints a row, and what is wrong with it."""
        self.rows.append(row)
        if row.reason:
            print(f"{row.fault:<20} not run: {row.reason}", flush=True)
        else:
            print(_line(row.cells()), flush=True)
        for problem in row.problems:
            print(f"{'':<20} {problem}", flush=True)
        for verdict in row.verdicts:
            if not verdict.holds:
                print(f"  {verdict}", flush=True)

    def verdict(self) -> str:
        """The last line."""
        ran = [row for row in self.rows if not row.reason]
        broken = [row.fault for row in ran if not row.holds]
        rounds = sum(len(row.verdicts) for row in ran)
        acknowledged = sum(verdict.acknowledged for row in ran for verdict in row.verdicts)
        received = sum(verdict.received for row in ran for verdict in row.verdicts)
        took = f"{(time.monotonic() - self._begun) / 60:.0f} min"
        skipped = len(self.rows) - len(ran)
        said = (
            f"{rounds} rounds of {len(ran)} faults in {took}: "
            f"{acknowledged:,} writes, {received:,} deliveries"
        )
        if skipped:
            said += f"; {skipped} faults were not run"
        if broken:
            return f"BROKEN: {', '.join(broken)}. {said}."
        return f"Nothing was lost, doubled or missed. {said}." if ran else f"Nothing was run. {said}."

    def save(self, folder: Path, site: str) -> Path:
        """Writes the table for people and for programs; the folder of this run."""
        target = folder / time.strftime("%Y-%m-%d-%H%M%S")
        target.mkdir(parents=True)
        lines = [
            f"# Faults at {site}",
            "",
            f"{os.cpu_count()} cores. Times are the longest of all rounds.",
            "",
        ]
        lines += [f"| {' | '.join(COLUMNS)} | requests that failed |", "|---" * (len(COLUMNS) + 1) + "|"]
        for row in self.rows:
            how = Counter[str]()
            for verdict in row.verdicts:
                how += verdict.failed
            failures = ", ".join(f"{count} x {what}" for what, count in how.most_common())
            if row.reason:
                lines.append(f"| {row.fault} | not run: {row.reason}" + " |" * len(COLUMNS))
            else:
                lines.append(f"| {' | '.join(row.cells())} | {failures} |")
        lines += ["", self.verdict(), ""]
        (target / "faults.md").write_text("\n".join(lines))
        (target / "faults.json").write_text(json.dumps([row.as_json() for row in self.rows], indent=1))
        return target


def _line(cells: tuple[str, ...] | list[str]) -> str:
    first, *rest = zip(cells, WIDTHS, strict=True)
    return f"{first[0]:<{first[1]}} " + "  ".join(f"{cell:>{width}}" for cell, width in rest)
