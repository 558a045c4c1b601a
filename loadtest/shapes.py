"""How the number of users changes: `--shape`, for `--users` at the most and `--run-time` in all."""

from __future__ import annotations

from locust import LoadTestShape

from loadtest.shape import Shape
from loadtest.shapes_that_look import Ramp, Soak


class Steady(Shape):
    """All users from the beginning to the end."""

    abstract = False


class Spike(Shape):
    """A fifth of the users; all of them at once for the second third of the time; a fifth again."""

    abstract = False

    def share(self, progress: float) -> float:
        """The step up and down."""
        return 1.0 if 1 / 3 <= progress < 2 / 3 else 0.2

    def rate(self, most: int) -> float:
        """At once."""
        return float(most)


class Storm(Shape):
    """All users; every 15 s all listeners lose their connection at once, and all come back 2 s later."""

    abstract = False
    EVERY_SECONDS = 15.0
    AWAY_SECONDS = 2.0
    cuts = 0

    def tick(self) -> tuple[int, float] | None:
        """As ever, and the cuts."""
        wanted = super().tick()
        if wanted and wanted[0] and self.elapsed >= (self.cuts + 1) * self.EVERY_SECONDS:
            self.cuts += 1
            self.running.send_message("cut", {"seconds": self.AWAY_SECONDS})
        return wanted

    def notes(self) -> list[str]:
        """How often it struck."""
        return [f"storm: all connections were cut {self.cuts} times, for {self.AWAY_SECONDS:g} s each"]

    def failure(self) -> str:
        """Too short for one."""
        return "" if self.cuts else f"too short: the first cut comes after {self.EVERY_SECONDS:g} s"


SHAPES: dict[str, type[Shape]] = {
    "steady": Steady,
    "ramp": Ramp,
    "spike": Spike,
    "storm": Storm,
    "soak": Soak,
}


class ChosenShape(LoadTestShape):
    """The one that `--shape` names; Locust makes its shapes before it reads its options."""

    abstract = False
    use_common_options = True
    chosen: Shape

    def reset_time(self) -> None:
        """A run begins."""
        super().reset_time()  # type: ignore[no-untyped-call]
        if self.runner and self.runner.environment.parsed_options:
            self.chosen = SHAPES[self.runner.environment.parsed_options.shape]()
            self.chosen.runner = self.runner

    def tick(self) -> tuple[int, float] | None:
        """What the chosen one says."""
        return self.chosen.tick()
