"""The load shapes that measure while they run."""

from __future__ import annotations

import math
import time
from collections import Counter

from locust.runners import Runner
from locust.stats import RequestStats, StatsEntry

from loadtest import report_lines
from loadtest.load_shapes.base import Shape
from loadtest.thresholds import percentile, percentile_limits

# Workers report every 3 s: what comes sooner is from before.
REPORT_SECONDS = 3.5


class Window:
    """The fan-out since this object was made."""

    def __init__(self, stats: RequestStats) -> None:
        self._stats = stats
        self._began = int(time.time())
        self._before = self._times()

    def p95(self) -> float | None:
        """Milliseconds; None if there was no event."""
        return percentile(self._times() - self._before, 95)

    def rate(self) -> float:
        """Events received per second, over the seconds of which all workers have reported."""
        entry, late = self._entry(), math.ceil(REPORT_SECONDS)
        seconds = range(self._began - late + 1, int(time.time()) - late)
        received = entry.num_reqs_per_sec if entry else {}
        return sum(received.get(second, 0) for second in seconds) / len(seconds)

    def _times(self) -> Counter[int]:
        entry = self._entry()
        return Counter(entry.response_times if entry else {})

    def _entry(self) -> StatsEntry | None:
        return self._stats.entries.get(report_lines.AFTER_EVENT[::-1])


class Ramp(Shape):
    """More users every 10 s, until the fan-out's p95 exceeds `--max-p95`: where is the knee?"""

    run_time = 100.0
    judges_percentiles = False
    STEP_SECONDS = 10.0

    def __init__(self, runner: Runner) -> None:
        super().__init__(runner)
        self.steps: list[tuple[int, float, float]] = []  # users, events per second, p95
        self.knee = False
        self._step = 0
        self._window: Window | None = None

    def tick(self, elapsed: float) -> tuple[int, float] | None:
        step, into = divmod(elapsed, self.STEP_SECONDS)
        if step > self._step:
            self._judge()
            self._step, self._window = int(step), None
        elif self._window is None and into > REPORT_SECONDS:
            self._window = Window(self.runner.stats)
        return super().tick(elapsed)

    def share(self, progress: float) -> float:
        steps = max(1, int(self.length // self.STEP_SECONDS))
        return min(1.0, (int(progress * self.length // self.STEP_SECONDS) + 1) / steps)

    def rate(self) -> float:
        return max(1.0, self.users / 10)

    def is_over(self) -> bool:
        """Beyond the knee there is nothing to learn."""
        return self.knee

    def notes(self) -> list[str]:
        lines = [
            f"ramp: {users:>6,} users {rate:>9,.0f} events/s   fan-out p95 {p95:g} ms"
            for users, rate, p95 in self.steps
        ]
        good = self.steps[:-1] if self.knee else self.steps
        if not good:
            return lines
        where = "the knee is above" if self.knee else "no knee up to"
        return [*lines, f"ramp: {where} {good[-1][0]:,} users and {good[-1][1]:,.0f} events/s"]

    def failure(self) -> str:
        if len(self.steps) > self.knee:
            return ""
        return "not even the first step kept the fan-out's p95" if self.steps else "too short for one step"

    def _judge(self) -> None:
        if self._window is None or self.knee:
            return
        p95 = self._window.p95()
        self.steps.append((self.runner.user_count, self._window.rate(), p95 or 0.0))
        kind, name = report_lines.AFTER_EVENT
        limits = percentile_limits(self.options.max_p95)
        self.knee = p95 is None or p95 > limits.get(name, limits.get(kind, 250.0))


class Soak(Shape):
    """All users for an hour, or for `--run-time`: does it get slower?"""

    run_time = 3600.0
    MARGIN = 20.0  # milliseconds
    # Shares of the time: the second tenth, when everything is warm, and the last.
    PARTS = ((0.1, 0.2), (0.9, 1.0))

    def __init__(self, runner: Runner) -> None:
        super().__init__(runner)
        self.p95: list[float] = []
        self._window: Window | None = None

    def tick(self, elapsed: float) -> tuple[int, float] | None:
        progress = elapsed / self.length
        if len(self.p95) < len(self.PARTS):
            begin, end = self.PARTS[len(self.p95)]
            if self._window is None and progress >= begin:
                self._window = Window(self.runner.stats)
            elif self._window is not None and progress >= end:
                self.p95.append(self._window.p95() or math.inf)
                self._window = None
        return super().tick(elapsed)

    def notes(self) -> list[str]:
        return ["soak: fan-out p95 " + ", then ".join(f"{p95:g} ms" for p95 in self.p95)]

    def failure(self) -> str:
        if len(self.p95) < len(self.PARTS):
            return "it ended too soon to compare its beginning with its end"
        first, last = self.p95
        return "slower at the end than at the beginning" if last > 2 * first + self.MARGIN else ""
