"""The measurements, one file each, so that an interrupted benchmark continues where it ended."""

from __future__ import annotations

import json
import math
import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from pathlib import Path
from statistics import median
from typing import Any

FOLDER = Path(__file__).parent / "results"
Numbers = Mapping[str, float]


class Results:
    """All measurements. Experiment, subject (a server) and the number of the run lead to named numbers."""

    def __init__(self, folder: Path, fresh: bool, say: Callable[[str], None]) -> None:
        self.folder = folder
        self.say = say
        folder.mkdir(parents=True, exist_ok=True)
        self._reasons_file = folder / "not-measured.txt"
        if fresh:
            for file in (*folder.glob("*.json"), folder / "machine.txt", self._reasons_file):
                file.unlink(missing_ok=True)

    def has(self, experiment: str, subject: str, run: int) -> bool:
        """Whether this was measured before."""
        return self._file(experiment, subject, run).exists()

    def once(self, experiment: str, subject: str, run: int, measure: Callable[[], Numbers]) -> None:
        """Calls `measure`, unless there is a result already, keeps the numbers and says what came out."""
        file = self._file(experiment, subject, run)
        if file.exists():
            return
        begun = time.monotonic()
        numbers = dict(measure())
        took = time.monotonic() - begun
        record = {"experiment": experiment, "subject": subject, "took": took, "numbers": numbers}
        unfinished = file.with_suffix(".new")
        unfinished.write_text(json.dumps(record, indent=1))
        unfinished.replace(file)
        self.leave_out(experiment, subject, None)
        first = next(iter(numbers))
        answer = f"{first} {show(numbers[first], first)}"
        self.say(f"{experiment}, {subject}, run {run + 1}: {answer} ({took:.0f} s)")

    def leave_out(self, experiment: str, subject: str, why: str | None) -> None:
        """Keeps the reason why a measurement is missing, for the report; None removes it."""
        reasons = self.reasons()
        subjects = {**reasons.get(experiment, {}), subject: why}
        reasons[experiment] = {each: text for each, text in subjects.items() if text is not None}
        self._reasons_file.write_text(json.dumps(reasons, indent=1))

    def reasons(self) -> dict[str, dict[str, str]]:
        """Experiment -> subject -> why it is missing, from this run or an earlier one."""
        file = self._reasons_file
        reasons: dict[str, dict[str, str]] = json.loads(file.read_text()) if file.exists() else {}
        return reasons

    def all(self) -> dict[str, dict[str, list[Numbers]]]:
        """Experiment -> subject -> the numbers of each run."""
        found: dict[str, dict[str, list[Numbers]]] = {}
        for record in self._records():
            subjects = found.setdefault(record["experiment"], {})
            subjects.setdefault(record["subject"], []).append(record["numbers"])
        return found

    def seconds(self) -> dict[str, float]:
        """Experiment -> seconds that it took, including the start and the stop of the servers."""
        found: dict[str, float] = defaultdict(float)
        for record in self._records():
            found[record["experiment"]] += record["took"]
        return found

    def _records(self) -> list[dict[str, Any]]:
        return [json.loads(file.read_text()) for file in sorted(self.folder.glob("*.json"))]

    def _file(self, experiment: str, subject: str, run: int) -> Path:
        name = "".join(letter if letter.isalnum() else "-" for letter in f"{experiment}--{subject}--{run:02}")
        return self.folder / f"{name}.json"


def middle(runs: list[Numbers], key: str) -> float:
    """The median over the runs."""
    return median(run[key] for run in runs)


def spread(runs: list[Numbers], key: str) -> tuple[float, float]:
    """The lowest and the highest of the runs."""
    values = [run[key] for run in runs]
    return min(values), max(values)


def show(value: float, key: str = "") -> str:
    """A number with three significant figures, in k or M; no percentage is rounded up to 100 %."""
    if key.endswith("_percent"):
        return f"{math.floor(value * 100) / 100:.6g} %"
    if abs(value) >= 1e6:
        return f"{value / 1e6:.3g}M"
    if abs(value) >= 10_000:
        return f"{value / 1e3:.3g}k"
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.3g}"
