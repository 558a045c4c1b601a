"""What all load shapes have in common: they end, and let all users finish."""

from __future__ import annotations

from typing import Any

from locust.runners import Runner


class Shape:
    """Runs for its time, then stops all users: listeners wait for their last events, writers clean up."""

    run_time = 60.0  # seconds, unless `--run-time` sets them
    judges_percentiles = True  # whether their thresholds apply
    SETTLE_SECONDS = 20.0

    def __init__(self, runner: Runner) -> None:
        self.runner = runner
        options: Any = runner.environment.parsed_options
        self.options = options
        self.users: int = options.num_users or 1
        self.length = float(options.run_time or self.run_time)
        self._ended: float | None = None

    def tick(self, elapsed: float) -> tuple[int, float] | None:
        """The users wanted after `elapsed` seconds, and how many to start or stop per second.

        None ends the run.
        """
        if elapsed < self.length and not self.is_over():
            return max(1, round(self.users * self.share(elapsed / self.length))), self.rate()
        if self._ended is None:
            self._ended = elapsed
        if self.runner.user_count and elapsed < self._ended + self.SETTLE_SECONDS:
            return 0, self.users
        return None

    def share(self, progress: float) -> float:  # noqa: ARG002
        """The share of all users that is wanted at this share of the time."""
        return 1.0

    def is_over(self) -> bool:
        """Whether to end before the time."""
        return False

    def rate(self) -> float:
        """Users started per second: all within 5 s, or faster if `--spawn-rate` says so."""
        return max(self.options.spawn_rate or 1.0, self.users / 5)

    def notes(self) -> list[str]:
        """Findings for the end of the report."""
        return []

    def failure(self) -> str:
        """Why the run fails although every threshold is kept; empty if it does not."""
        return ""
