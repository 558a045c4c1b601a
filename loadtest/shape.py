"""What all shapes have in common: they are bounded, and let everybody finish."""

from __future__ import annotations

from typing import Any, cast

from locust import LoadTestShape
from locust.runners import Runner


class Shape(LoadTestShape):
    """Runs for its time, then stops all users: listeners wait for their last events, writers tidy up."""

    abstract = True
    use_common_options = True
    # Where `--run-time` says nothing; in seconds.
    run_time = 60.0
    # What the thresholds of percentiles say of this shape: nothing, where it looks for their end.
    judges_percentiles = True
    SETTLE_SECONDS = 20.0

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._ended: float | None = None

    @property
    def running(self) -> Runner:
        """What runs the test."""
        return cast(Runner, self.runner)  # Locust sets it before it asks for anything

    @property
    def options(self) -> Any:
        """The settings."""
        return self.running.environment.parsed_options

    @property
    def elapsed(self) -> float:
        """Seconds since the start."""
        return float(self.get_run_time())  # type: ignore[no-untyped-call]

    @property
    def length(self) -> float:
        """Seconds from the start until the users are stopped."""
        return float(self.options.run_time or self.run_time)

    def tick(self) -> tuple[int, float] | None:
        """How many users there should be now, and how many a second may be started or stopped."""
        elapsed, most = self.elapsed, self.options.num_users or 1
        if elapsed < self.length and not self.is_over():
            return max(1, round(most * self.share(elapsed / self.length))), self.rate(most)
        if self._ended is None:
            self._ended = elapsed
        if self.running.user_count and elapsed < self._ended + self.SETTLE_SECONDS:
            return 0, most
        return None

    def share(self, progress: float) -> float:
        """The share of all users that is wanted at this share of the time."""
        return 1.0 if progress < 1 else 0.0

    def is_over(self) -> bool:
        """Whether it may end before its time."""
        return False

    def rate(self, most: int) -> float:
        """Users started a second: all within 5 s, or faster when `--spawn-rate` says so."""
        return max(self.options.spawn_rate or 1.0, most / 5)

    def notes(self) -> list[str]:
        """What it found out, for the end of the report."""
        return []

    def failure(self) -> str:
        """Why the run fails although every threshold is kept, if so."""
        return ""
