"""What was measured, a file a measurement, so that a run that was cut short goes on where it ended."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from statistics import median

FOLDER = Path(__file__).parent.parent / "results"
Numbers = Mapping[str, float]


class Results:
    """All measurements: experiment, subject (a server) and the number of the run lead to some numbers."""

    def __init__(self, folder: Path, fresh: bool, say: Callable[[str], None]) -> None:
        self.folder = folder
        self.say = say
        self.missing: dict[str, str] = {}  # subject -> why it was left out
        folder.mkdir(parents=True, exist_ok=True)
        if fresh:
            for file in (*folder.glob("*.json"), folder / "machine.txt"):
                file.unlink(missing_ok=True)

    def once(self, experiment: str, subject: str, run: int, measure: Callable[[], Numbers]) -> None:
        """Measures, unless that was done before; says what came out."""
        file = self._file(experiment, subject, run)
        if file.exists():
            return
        begun = time.monotonic()
        numbers = dict(measure())
        record = {"experiment": experiment, "subject": subject, "run": run, "numbers": numbers}
        unfinished = file.with_suffix(".new")
        unfinished.write_text(json.dumps(record, indent=1))
        unfinished.replace(file)
        first = next(iter(numbers))
        self.say(
            f"{experiment}, {subject}, run {run + 1}: {first} {show(numbers[first])} "
            f"({time.monotonic() - begun:.0f} s)"
        )

    def done(self, experiment: str, subject: str, run: int) -> bool:
        """Whether this measurement exists."""
        return self._file(experiment, subject, run).exists()

    def all(self) -> dict[str, dict[str, list[Numbers]]]:
        """Experiment -> subject -> the numbers of each run."""
        found: dict[str, dict[str, list[Numbers]]] = {}
        for file in sorted(self.folder.glob("*.json")):
            record = json.loads(file.read_text())
            found.setdefault(record["experiment"], {}).setdefault(record["subject"], []).append(
                record["numbers"]
            )
        return found

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


def show(value: float) -> str:
    """A number as people read it: three figures, and words for thousands."""
    if abs(value) >= 1e6:
        return f"{value / 1e6:.3g}M"
    if abs(value) >= 10_000:
        return f"{value / 1e3:.3g}k"
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.3g}"
