"""How the number of users changes: `--shape`, with `--users` at most, for `--run-time`."""

from __future__ import annotations

from locust import LoadTestShape

from loadtest.load_shapes.base import Shape
from loadtest.load_shapes.measuring import Ramp, Soak


class Steady(Shape):
    """All users from the beginning to the end."""


class Spike(Shape):
    """A fifth of the users; suddenly all for the second third of the time; a fifth again."""

    def share(self, progress: float) -> float:
        return 1.0 if 1 / 3 <= progress < 2 / 3 else 0.2

    def rate(self) -> float:
        return float(self.users)


class Storm(Shape):
    """All users; every 15 s all listeners lose their connection at once, and reconnect 2 s later."""

    EVERY_SECONDS = 15.0
    AWAY_SECONDS = 2.0
    cuts = 0

    def tick(self, elapsed: float) -> tuple[int, float] | None:
        wanted = super().tick(elapsed)
        if wanted and wanted[0] and elapsed >= (self.cuts + 1) * self.EVERY_SECONDS:
            self.cuts += 1
            self.runner.send_message("cut", {"seconds": self.AWAY_SECONDS})
        return wanted

    def notes(self) -> list[str]:
        return [f"storm: all connections were cut {self.cuts} times, for {self.AWAY_SECONDS:g} s each"]

    def failure(self) -> str:
        return "" if self.cuts else f"too short: the first cut comes after {self.EVERY_SECONDS:g} s"


SHAPES: dict[str, type[Shape]] = {
    "steady": Steady,
    "ramp": Ramp,
    "spike": Spike,
    "storm": Storm,
    "soak": Soak,
}


class ChosenShape(LoadTestShape):
    """The shape that `--shape` names: Locust creates its shapes before it parses the options."""

    use_common_options = True
    chosen: Shape

    def reset_time(self) -> None:
        """Begins a run."""
        super().reset_time()  # type: ignore[no-untyped-call]
        if self.runner and self.runner.environment.parsed_options:
            self.chosen = SHAPES[self.runner.environment.parsed_options.shape](self.runner)

    def tick(self) -> tuple[int, float] | None:
        return self.chosen.tick(self.get_run_time())  # type: ignore[no-untyped-call]
